//! A query → hashes of its words.

use std::collections::HashSet;
use std::fmt;
use std::hash::Hasher as _;
use std::sync::LazyLock;

use frostem::{Algorithm, Stemmer};
use gateway_core::ToolUse;
use rustc_hash::FxBuildHasher;
use siphasher::sip::SipHasher24;

/// Most different terms of one query; the first ones count.
pub(crate) const MAX_TERMS: usize = 32;

/// Longest word that is told from others with its beginning, in bytes.
const MAX_WORD: usize = 64;

/// Writings from here on put no spaces between words, or hardly any; those before do.
const SPACELESS: char = '\u{0E00}';

/// Words that say nothing about what is wanted.
static STOP_WORDS: LazyLock<HashSet<&str, FxBuildHasher>> = LazyLock::new(|| {
    "a about after all also am an and any are as at be because been before being but by can could d did do does doing \
     each either else etc for from further had has have he her here him his how i if in into is it its just let ll m \
     may me might more most must my need no nor not now of on once only or other our out over own per please re s same \
     shall she should so some such t than that the their them then there these they this those through to too under \
     until upon us ve very via want was we were what when where whether which while who whom whose why will with within \
     without would you your"
        .split(' ')
        .collect()
});

/// The word of a query as it is remembered. 32 bits: that two words share one happens, and does no more harm than a
/// homonym.
pub(crate) type Term = u32;

/// The key of one deployment, under which everything is hashed that the memory keeps: whoever does not have it can
/// neither read the memory nor foresee which words would collide.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key(pub(crate) [u8; 16]);

impl Key {
    /// A new one.
    pub(crate) fn random() -> Self {
        Self(rand::random())
    }

    /// A tool's identity: its server's name and its own. One that is renamed is forgotten; one whose description
    /// changes, as with most new versions, is not.
    pub(crate) fn tool(&self, server: &str, tool: &str) -> u64 {
        self.hash(b't', &[server, tool])
    }

    /// A caller's.
    pub(crate) fn principal(&self, id: &str) -> u32 {
        self.hash(b'p', &[id]) as u32
    }

    /// The different terms of a query, in ascending order. Of a text longer than a use tells, its beginning.
    pub(crate) fn terms(&self, query: &str) -> Vec<Term> {
        let stemmer = Stemmer::new(Algorithm::English);
        let mut terms: Vec<Term> = Vec::new();
        let mut add = |word: &str| {
            let term = self.hash(b'w', &[word]) as Term;
            if terms.len() < MAX_TERMS && !terms.contains(&term) {
                terms.push(term);
            }
        };
        let query = beginning(query, ToolUse::MAX_QUERY).to_lowercase();
        for word in query.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
            // A number is a value for the tool, and says little about which tool.
            if STOP_WORDS.contains(word) || word.chars().all(char::is_numeric) {
                continue;
            }
            if word.chars().any(|c| c >= SPACELESS) {
                pairs(word, &mut add);
            } else if word.len() > 2 && word.bytes().all(|byte| byte.is_ascii_lowercase()) {
                add(&stemmer.stem(beginning(word, MAX_WORD)));
            } else {
                add(beginning(word, MAX_WORD));
            }
        }
        terms.sort_unstable();
        terms
    }

    fn hash(&self, kind: u8, parts: &[&str]) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(&[kind]);
        for part in parts {
            hasher.write(&(part.len() as u64).to_le_bytes());
            hasher.write(part.as_bytes());
        }
        hasher.finish()
    }
}

impl fmt::Debug for Key {
    /// It is a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(***)")
    }
}

/// Each two neighbouring characters; one alone where it is all.
fn pairs(word: &str, add: &mut dyn FnMut(&str)) {
    let mut starts = word.char_indices().map(|(start, _)| start);
    let (Some(mut first), Some(mut second)) = (starts.next(), starts.next()) else { return add(word) };
    for end in starts.chain([word.len()]) {
        add(&word[first..end]);
        (first, second) = (second, end);
    }
}

fn beginning(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_a_word_are_one_term_and_empty_words_none() {
        let key = Key([7; 16]);
        let same = [
            ("List the storage accounts!", "listing storage account"),
            ("what is 17 + 4", ""),
            ("東京の天気", "東京の天気"),
            ("Überweisung", "überweisung"),
            ("time time time", "time"),
        ];
        for (one, other) in same {
            assert_eq!(key.terms(one), key.terms(other), "{one}");
        }
        assert_eq!(key.terms("東京の天気").len(), 4);
        assert!(key.terms("東京の天気").iter().any(|term| key.terms("大阪の天気").contains(term)));
        assert_ne!(key.terms("create"), key.terms("delete"));
    }

    #[test]
    fn any_text_is_bounded_and_sorted() {
        let key = Key::random();
        let many: String = (0..10_000).map(|n| format!("w{n}x ")).collect();
        for text in ["é".repeat(5_000), "天".repeat(5_000), many, "\0 \u{202e}".to_owned(), String::new()] {
            let terms = key.terms(&text);
            assert!(terms.len() <= MAX_TERMS && terms.is_sorted_by(|a, b| a < b), "{}", terms.len());
        }
    }

    #[test]
    fn another_key_gives_other_hashes() {
        let (one, other) = (Key([1; 16]), Key([2; 16]));
        assert_ne!(one.terms("weather"), other.terms("weather"));
        assert_ne!(one.tool("a", "b"), other.tool("a", "b"));
        assert_ne!(one.tool("ab", "c"), one.tool("a", "bc"));
    }
}
