//! Servers as they are found in the wild, made up: few words are common and most are rare (Zipf's law), and each
//! server has words of its own.

use std::ops::Range;
use std::sync::Arc;

use gateway_core::{RawJson, ServerTools};
use serde_json::{Map, json};

/// The words of all servers together. Real catalogues of 40,000 tools have about as many.
const VOCABULARY: usize = 30_000;

/// How many tools each server has.
pub const TOOLS_EACH: usize = 20;

/// What stands between the words of a sentence.
const STOP_WORDS: [&str; 8] = ["the", "of", "a", "for", "to", "and", "in", "by"];

/// The commonest words, so that queries in English meet what queries meet.
const COMMON: [&str; 48] = [
    "get",
    "list",
    "create",
    "name",
    "id",
    "user",
    "return",
    "update",
    "delete",
    "search",
    "type",
    "query",
    "file",
    "data",
    "value",
    "limit",
    "message",
    "project",
    "issue",
    "team",
    "send",
    "repository",
    "page",
    "status",
    "date",
    "report",
    "customer",
    "invoice",
    "payment",
    "order",
    "event",
    "calendar",
    "channel",
    "pull",
    "request",
    "review",
    "summary",
    "week",
    "post",
    "open",
    "github",
    "engineering",
    "find",
    "need",
    "table",
    "record",
    "key",
    "index",
];

/// Numbers that only look like chance (Knuth's MMIX generator).
pub struct Chance(u64);

impl Chance {
    /// Begins at a place of its own for each `seed`.
    pub fn new(seed: u64) -> Self {
        let mut chance = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        chance.below(2);
        chance
    }

    /// A whole number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    /// A place below `end`, the nth as often as 1/n.
    fn zipf(&mut self, end: usize) -> usize {
        let share = self.below(1 << 30) as f64 / f64::from(1 << 30);
        ((end as f64).powf(share) as usize).min(end) - 1
    }
}

/// `count` servers of [`TOOLS_EACH`] tools.
pub fn servers(count: usize) -> Vec<Arc<ServerTools>> {
    (0..count).map(|place| server(place, 0)).collect()
}

/// The server at a place; each `edition` has other tools.
pub fn server(place: usize, edition: u64) -> Arc<ServerTools> {
    let mut chance = Chance::new(place as u64 + 1);
    // What it is about: words that its tools have in common, and few others.
    let subject: Vec<usize> = (0..25).map(|_| 40 + chance.zipf(VOCABULARY - 40)).collect();
    let about = sentence(&mut chance, &subject, 20..21);
    let name = format!("{}-{}-{place}", word(subject[0]), word(subject[1]));
    let mut chance = Chance::new((place as u64 + 1) << 20 | edition);
    let tools = (0..TOOLS_EACH).map(|number| tool(&mut chance, &subject, number)).collect();
    Arc::new(ServerTools::new(name, about, tools))
}

/// A question of `words` words about what some server does.
pub fn question(seed: u64, words: usize) -> String {
    let mut chance = Chance::new(seed ^ 0x5eed);
    let subject: Vec<usize> = (0..4).map(|_| chance.zipf(VOCABULARY)).collect();
    sentence(&mut chance, &subject, words..words + 1)
}

/// A tool: two or three words of name, twenty of description, four parameters.
fn tool(chance: &mut Chance, subject: &[usize], number: usize) -> RawJson {
    let verb = word(chance.zipf(40));
    let noun = word(subject[chance.below(subject.len())]);
    let other = word(subject[chance.below(subject.len())]);
    let mut properties = Map::new();
    for _ in 0..4 {
        let name = format!("{}_{}", word(chance.zipf(VOCABULARY)), word(chance.zipf(48)));
        properties.insert(name, json!({ "type": "string", "description": sentence(chance, subject, 3..12) }));
    }
    let declared = json!({
        "name": if number.is_multiple_of(2) { format!("{verb}_{noun}_{number}") } else { format!("{verb}_{noun}_{other}{number}") },
        "description": sentence(chance, subject, 10..30),
        "inputSchema": { "type": "object", "properties": properties },
    });
    RawJson::from_value(&declared).expect("it has string keys only")
}

fn sentence(chance: &mut Chance, subject: &[usize], words: Range<usize>) -> String {
    let words = words.start + chance.below(words.len());
    let mut text = String::new();
    for _ in 0..words {
        let said = match chance.below(10) {
            0..3 => STOP_WORDS[chance.below(STOP_WORDS.len())].to_owned(),
            3..6 => word(subject[chance.below(subject.len())]),
            _ => word(chance.zipf(VOCABULARY)),
        };
        text.push_str(&said);
        text.push(' ');
    }
    text
}

/// The word at a place of the vocabulary, the commonest first.
fn word(place: usize) -> String {
    const BEGIN: [&str; 16] = ["b", "k", "d", "f", "gr", "h", "l", "m", "n", "p", "r", "st", "t", "v", "w", "tr"];
    const MIDDLE: [&str; 8] = ["a", "e", "i", "o", "u", "ai", "ou", "ea"];
    if let Some(common) = COMMON.get(place) {
        return (*common).to_owned();
    }
    let (mut rest, mut word) = (place, String::new());
    while rest > 0 {
        word.push_str(BEGIN[rest % 16]);
        word.push_str(MIDDLE[rest / 16 % 8]);
        rest /= 128;
    }
    word.push('x');
    word
}
