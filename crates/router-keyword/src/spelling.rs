//! A misspelt word → the words of the tools that it is likely to be.
//!
//! Keeps the words themselves, of which an index keeps fingerprints only. One list serves all indexes of a router:
//! what an index does not have is passed over by who asks.

use rustc_hash::FxHashSet;

/// The shortest word that is taken for misspelt, in bytes.
const MIN_WORD: usize = 4;

/// The longest one.
const MAX_WORD: usize = 24;

/// From which length a word may have two mistakes.
const TWO_MISTAKES: usize = 8;

/// How many words are kept at most: those of some hundred thousand tools.
const MAX_WORDS: usize = 1 << 17;

/// Sorted words of ASCII letters.
#[derive(Debug, Default)]
pub(crate) struct Spelling {
    words: Box<str>,
    /// Where each word ends.
    ends: Box<[u32]>,
    /// The letters that each word has, a bit each.
    letters: Box<[u32]>,
}

impl Spelling {
    /// These words and those of `new` that can be looked for, where any is new. Where they are too many, those that
    /// `is_known` stay.
    pub(crate) fn with(&self, new: &FxHashSet<Box<str>>, mut is_known: impl FnMut(&str) -> bool) -> Option<Self> {
        let new = new.iter().map(|word| &**word);
        let mut all: Vec<&str> = new.filter(|word| is_candidate(word) && !self.contains(word)).collect();
        if all.is_empty() {
            return None;
        }
        all.extend(self.iter());
        all.sort_unstable();
        if all.len() > MAX_WORDS {
            all.retain(|word| is_known(word));
            all.truncate(MAX_WORDS);
        }
        let mut end = 0;
        let ends = all.iter().map(|word| {
            end += word.len() as u32;
            end
        });
        let ends = ends.collect();
        let letters = all.iter().map(|word| letters(word)).collect();
        Some(Self { words: all.concat().into(), ends, letters })
    }

    /// The words that `word` is likely to be, by the number of mistakes. They begin with the same letter: the first one is
    /// rarely wrong.
    pub(crate) fn similar(&self, word: &str) -> Vec<(usize, &str)> {
        if !is_candidate(word) {
            return Vec::new();
        }
        let most = if word.len() < TWO_MISTAKES { 1 } else { 2 };
        let (wanted, first) = (letters(word), &word[..1]);
        let begin = self.partition_point(|other| other < first);
        let mut found = Vec::new();
        for place in begin..self.ends.len() {
            let other = self.word(place);
            if !other.starts_with(first) {
                break;
            }
            // One mistake changes two letters of the set at most.
            let may_be = other.len().abs_diff(word.len()) <= most
                && (self.letters[place] ^ wanted).count_ones() as usize <= 2 * most;
            if may_be && let Some(mistakes) = mistakes(word.as_bytes(), other.as_bytes(), most) {
                found.push((mistakes, other));
            }
        }
        found.sort_unstable();
        found
    }

    fn contains(&self, word: &str) -> bool {
        let place = self.partition_point(|other| other < word);
        place < self.ends.len() && self.word(place) == word
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.ends.len()).map(|place| self.word(place))
    }

    fn word(&self, place: usize) -> &str {
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.words[start as usize..self.ends[place] as usize]
    }

    fn partition_point(&self, is_before: impl Fn(&str) -> bool) -> usize {
        let (mut low, mut high) = (0, self.ends.len());
        while low < high {
            let middle = low.midpoint(high);
            if is_before(self.word(middle)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

fn is_candidate(word: &str) -> bool {
    (MIN_WORD..=MAX_WORD).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_lowercase())
}

fn letters(word: &str) -> u32 {
    word.bytes().fold(0, |letters, byte| letters | 1 << (byte - b'a'))
}

/// How many letters are missing, wrong, too many or swapped with their neighbour, where that is `most` at most and not
/// none (the optimal string alignment distance).
fn mistakes(one: &[u8], other: &[u8], most: usize) -> Option<usize> {
    let mut rows = [[0_usize; MAX_WORD + 1]; 3];
    rows[0] = std::array::from_fn(|column| column);
    for (row, a) in one.iter().enumerate() {
        // The row before the last is needed for swaps; its room is the next one's.
        let (last, before, this) = (row % 3, (row + 2) % 3, (row + 1) % 3);
        rows[this][0] = row + 1;
        for (column, b) in other.iter().enumerate() {
            let changed = rows[last][column] + usize::from(a != b);
            let mut least = changed.min(rows[last][column + 1] + 1).min(rows[this][column] + 1);
            if row > 0 && column > 0 && *a == other[column - 1] && one[row - 1] == *b {
                least = least.min(rows[before][column - 1] + 1);
            }
            rows[this][column + 1] = least;
        }
    }
    let mistakes = rows[one.len() % 3][other.len()];
    (1..=most).contains(&mistakes).then_some(mistakes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelling(words: &[&str]) -> Spelling {
        Spelling::default().with(&words.iter().map(|word| Box::from(*word)).collect(), |_| true).expect("some are new")
    }

    #[test]
    fn finds_what_is_likely_meant() {
        let spelling = spelling(&["calendar", "colander", "delete", "depute", "email", "emails", "map", "repository"]);
        for (word, expected) in [
            ("calender", &[(1, "calendar"), (2, "colander")][..]),
            ("delte", &[(1, "delete")]),
            ("emial", &[(1, "email")]),
            ("repositroy", &[(1, "repository")]),
            ("reposiitoory", &[(2, "repository")]),
            ("delete", &[]),
            ("xalendar", &[]),
            ("mpa", &[]),
            ("", &[]),
            ("日本語", &[]),
        ] {
            assert_eq!(spelling.similar(word), expected, "{word}");
        }
    }

    #[test]
    fn grows_and_holds_no_more_than_it_may() {
        let words = spelling(&["beta", "alpha"]);
        let more = words.with(&["gamma", "alpha", "Größe", "x"].map(Box::from).into_iter().collect(), |_| true);
        let more = more.expect("some are new");
        assert!(more.with(&["beta", "gamma"].map(Box::from).into_iter().collect(), |_| true).is_none());
        assert_eq!(more.iter().collect::<Vec<_>>(), ["alpha", "beta", "gamma"]);
        let letter = |at: usize| char::from(b'a' + (at % 26) as u8);
        let many = (0..200_000).map(|at| {
            [at / 26 / 26 / 26 / 26, at / 26 / 26 / 26, at / 26 / 26, at / 26, at]
                .map(letter)
                .iter()
                .collect::<String>()
        });
        let full =
            more.with(&many.map(String::into_boxed_str).collect(), |word| word.starts_with("aa") || word == "gamma");
        let full = full.expect("some are new");
        assert!(full.iter().count() <= MAX_WORDS);
        assert!(full.iter().any(|word| word == "gamma") && !full.iter().any(|word| word == "beta"));
    }
}
