//! A long request → the single requests that it is made of.
//!
//! "Get the weather of Prague, then email it to Anna" wants two tools, and neither of them fits the half of the words
//! that the other one is meant by. A router that also compares each clause alone finds both.

use std::collections::HashSet;
use std::sync::LazyLock;

/// How many clauses there are at most.
pub const MAX_CLAUSES: usize = 8;

/// How much of a text is looked at, in bytes. What follows belongs to the last clause.
const MAX_TEXT: usize = 8 * 1024;

/// No word of the lists below is longer, in bytes.
const MAX_WORD: usize = 24;

/// Words that begin something new wherever they stand. The plainest ones of other languages too.
static BREAKS: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    "additionally afterward afterwards finally furthermore lastly moreover secondly subsequently then thirdly \
     además después finalmente luego depois enfin ensuite puis dopo infine poi anschließend außerdem danach dann \
     schließlich daarna vervolgens następnie potem затем потом ardından sonra"
        .split(' ')
        .collect()
});

/// Pairs of words that begin something new wherever they stand.
const BREAKING_PAIRS: &[[&str; 2]] = &[["after", "that"], ["after", "this"], ["in", "addition"], ["once", "done"]];

/// Words that begin something new after a comma or a joint: what a request begins with, and words of doing. What is
/// more often a thing than a doing ("the name, email, price and review") does not stand here.
static STARTS: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    "also can could do does how i i'd i'll i'm is let next please plus should we what what's would \
     add adjust analyze append apply archive assign attach book build calculate cancel change check close compare \
     compute configure confirm convert copy count create delete deploy describe determine download edit enable \
     estimate evaluate execute explain export extract fetch figure find generate get give identify import insert \
     install invite list load look make measure merge modify monitor move notify obtain open optimize order perform \
     plan play post predict provide publish pull push put read recommend register remove rename reply reserve resize \
     retrieve return run save schedule search see send share show sort start stop store submit suggest summarize tell \
     transform translate update upload verify write"
        .split(' ')
        .collect()
});

/// What joins two requests. It belongs to the second one.
static JOINTS: LazyLock<HashSet<&str>> = LazyLock::new(|| "and or but y e et und en oraz и ve &".split(' ').collect());

/// Words whose full stop ends no sentence.
static ABBREVIATIONS: LazyLock<HashSet<&str>> =
    LazyLock::new(|| "approx dr e.g etc i.e inc jr ltd mr mrs ms no prof sr st vs".split(' ').collect());

/// The single requests that `text` is made of, in order: its sentences, cut further where something else is asked for
/// (`, then`, `and send`, `finally`).
///
/// Each is a part of `text` without white space round it. They do not overlap, and only white space lies between them.
/// One clause, the trimmed text, where it asks for one thing; none where it is blank; at most [`MAX_CLAUSES`], since
/// neighbours stay together where there would be more.
///
/// ```
/// let clauses = gateway_core::clauses("Get the weather of Prague, then email it to Anna. Is it warm?");
/// assert_eq!(clauses, ["Get the weather of Prague,", "then email it to Anna.", "Is it warm?"]);
/// ```
pub fn clauses(text: &str) -> Vec<&str> {
    let read = bounded(text);
    let cuts = cuts(read);
    // Where there are too many, each must have its share of the text, so that there is room for no more.
    let share = if cuts.len() <= MAX_CLAUSES { 0 } else { read.len().div_ceil(MAX_CLAUSES) };
    let mut clauses = Vec::with_capacity(MAX_CLAUSES);
    let (mut start, mut last_start) = (0, 0);
    for cut in cuts {
        if cut - start >= share && !is_one_word(&text[start..cut]) {
            clauses.push(text[start..cut].trim());
            (last_start, start) = (start, cut);
        }
    }
    if is_one_word(&text[start..]) && clauses.pop().is_some() {
        start = last_start;
    }
    clauses.push(text[start..].trim());
    clauses.retain(|clause| !clause.is_empty());
    clauses
}

/// What stands before a word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// Nothing, or the end of a sentence.
    End,
    Comma,
    /// A word such as `and`, with the place where it begins.
    Joint(usize),
    Word,
}

/// The places where `text` is cut, ascending.
fn cuts(text: &str) -> Vec<usize> {
    let mut cuts = Vec::new();
    let mut before = Before::End;
    let mut words = words(text).peekable();
    while let Some(word) = words.next() {
        let following = words.peek().map_or("", |following| following.bare);
        if word.after_newline || begins(&lower(word.bare), following, before) {
            cuts.push(if let Before::Joint(start) = before { start } else { word.start });
        }
        before = match before {
            _ if ends_sentence(&word) => Before::End,
            Before::Joint(start) if is_joint(&word) => Before::Joint(start),
            _ if is_joint(&word) => Before::Joint(word.start),
            _ if word.whole.ends_with([',', '，', '、', ':', '：', '-', '–', '—']) => Before::Comma,
            _ => Before::Word,
        };
    }
    cuts
}

/// Whether `word` begins a clause.
fn begins(word: &str, following: &str, before: Before) -> bool {
    let breaks = || {
        let pair = |pair: &[&str; 2]| pair[0] == word && following.eq_ignore_ascii_case(pair[1]);
        BREAKS.contains(word) || BREAKING_PAIRS.iter().any(pair)
    };
    match before {
        Before::End => true,
        Before::Comma | Before::Joint(_) => STARTS.contains(word) || breaks(),
        Before::Word => breaks(),
    }
}

fn is_joint(word: &Word<'_>) -> bool {
    JOINTS.contains(&*lower(word.whole))
}

fn ends_sentence(word: &Word<'_>) -> bool {
    let is_quote = |c: char| matches!(c, '"' | '\'' | ')' | ']' | '”' | '’' | '»');
    match word.whole.trim_end_matches(is_quote).chars().next_back() {
        Some('!' | '?' | ';' | '…' | '؟' | '।') => true,
        Some(c) if is_wide_stop(c) => true,
        // Neither an initial nor the number of an item ends a sentence.
        Some('.') => word.bare.chars().nth(1).is_some() && !ABBREVIATIONS.contains(&*lower(word.bare)),
        _ => false,
    }
}

/// Whether `c` ends a sentence without a space behind it.
fn is_wide_stop(c: char) -> bool {
    matches!(c, '。' | '！' | '？' | '；')
}

/// What stands between white space, or ends with a wide full stop.
struct Word<'t> {
    whole: &'t str,
    /// Without the punctuation round it.
    bare: &'t str,
    start: usize,
    after_newline: bool,
}

fn words(text: &str) -> impl Iterator<Item = Word<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let gap = text[at..].find(|c: char| !c.is_whitespace())?;
        let start = at + gap;
        let after_newline = text[at..start].contains('\n');
        let end = text[start..].char_indices().find_map(|(length, c)| match c {
            _ if c.is_whitespace() => Some(start + length),
            _ if is_wide_stop(c) => Some(start + length + c.len_utf8()),
            _ => None,
        });
        at = end.unwrap_or(text.len());
        let whole = &text[start..at];
        Some(Word { whole, bare: whole.trim_matches(|c: char| !c.is_alphanumeric()), start, after_newline })
    })
}

/// Whether `clause` is one word or none, in a writing with spaces.
fn is_one_word(clause: &str) -> bool {
    clause.is_ascii() && clause.split_whitespace().nth(1).is_none()
}

/// `word` in lower case; nothing where it is too long for any list.
fn lower(word: &str) -> String {
    if word.len() > MAX_WORD { String::new() } else { word.to_lowercase().replace('’', "'") }
}

/// The beginning of `text` that is looked at.
fn bounded(text: &str) -> &str {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        assert_eq!(clauses(text), expected, "{text:?}");
    }

    #[test]
    fn one_request_is_one_clause() {
        check("", &[]);
        check(" \n\t", &[]);
        check("  create an issue \n", &["create an issue"]);
        check("send the invoice to Mr. J. Smith", &["send the invoice to Mr. J. Smith"]);
        check("version 2.5 of example.com, e.g. 3.1", &["version 2.5 of example.com, e.g. 3.1"]);
        check("name, email and price of a user", &["name, email and price of a user"]);
        check("search", &["search"]);
        check("a calendar and a list", &["a calendar and a list"]);
    }

    #[test]
    fn several_requests_are_cut() {
        check("Find it. Read it!  Close it", &["Find it.", "Read it!", "Close it"]);
        check("find a flight; book a hotel", &["find a flight;", "book a hotel"]);
        check("first line\nsecond line\n\n- third", &["first line", "second line", "- third"]);
        check("find flights, book one and then email it", &["find flights,", "book one", "and then email it"]);
        check("get the pods and delete the old ones", &["get the pods", "and delete the old ones"]);
        check("Get X (\"quoted.\") Also do Y", &["Get X (\"quoted.\")", "Also do Y"]);
        check("list files after that zip them", &["list files", "after that zip them"]);
        check("busca vuelos y luego reserva uno", &["busca vuelos", "y luego reserva uno"]);
        check("查询天气。发送邮件！", &["查询天气。", "发送邮件！"]);
        check("I’d go, I’m late", &["I’d go,", "I’m late"]);
    }

    #[test]
    fn a_lone_word_stays_with_its_neighbour() {
        check("Hi! Find the file. Thanks!", &["Hi! Find the file. Thanks!"]);
        check("Find the file. Thanks.", &["Find the file. Thanks."]);
        check("Find. Read. Close.", &["Find. Read. Close."]);
    }

    #[test]
    fn many_are_glued_and_nothing_is_lost() {
        for text in [
            "do this. ".repeat(100),
            "Get it, then go. ".repeat(5_000),
            "x\n".repeat(5_000),
            "，。".repeat(9_000),
            "then ".repeat(5_000),
            "é".repeat(30_000),
            "a b. c d. e f. g h. i j. k l. m n. o p. q r".to_owned(),
        ] {
            let clauses = clauses(&text);
            assert!((1..=MAX_CLAUSES).contains(&clauses.len()), "{}", clauses.len());
            let bare = |text: &str| text.split_whitespace().collect::<String>();
            assert_eq!(bare(&clauses.concat()), bare(&text));
        }
    }
}
