//! A misspelt word → the words of the tools that it is likely to be.
//!
//! Keeps the words themselves, of which postings have fingerprints only. Each block has those of its own tools, and for
//! each word the servers that have it: so a block that is made of another one has no word that is no longer anybody's.

use std::mem::size_of_val;
use std::ops::Range;

use rustc_hash::FxHashSet;

/// The shortest word that is taken for misspelt, in bytes. Shorter ones are often names, and like too many words.
const MIN_MISSPELT: usize = 5;

/// The shortest word that one is taken for.
const MIN_WORD: usize = MIN_MISSPELT - 1;

/// The longest word.
const MAX_WORD: usize = 24;

/// From which length a word may have two mistakes.
const TWO_MISTAKES: usize = 8;

/// The words of a block, of ASCII letters, in the order of [`order`].
#[derive(Debug, Default)]
pub(crate) struct Words {
    text: Box<str>,
    /// Where each word ends.
    ends: Box<[u32]>,
    /// The letters that each word has, a bit each.
    letters: Box<[u32]>,
    /// Where the homes of each word end.
    home_ends: Box<[u32]>,
    /// For each server that has the word the place of its first tool in the block, ascending.
    homes: Box<[u16]>,
}

/// Words of a block for another one: those of servers whose first tools are among `tools`.
#[derive(Clone, Debug)]
pub(crate) struct Part<'a> {
    pub(crate) words: &'a Words,
    pub(crate) tools: Range<u32>,
    /// What turns a place in the one block into that in the other, by an addition that wraps.
    pub(crate) moved: u32,
}

impl Words {
    /// The words of the only server of a block.
    pub(crate) fn new(words: &FxHashSet<Box<str>>) -> Self {
        let mut words: Vec<&str> = words.iter().map(|word| &**word).filter(|word| is_candidate(word)).collect();
        words.sort_unstable_by_key(|word| order(word));
        let mut list = List::default();
        for word in words {
            list.push(word, [0]);
        }
        list.finish()
    }

    /// The words of all `parts`, in that order.
    pub(crate) fn join(parts: &[Part<'_>]) -> Self {
        let mut runs = Vec::new();
        for part in parts {
            for (place, word) in part.words.iter().enumerate() {
                let homes = &part.words.homes[span(&part.words.home_ends, place)];
                let before = |tool: u32| homes.partition_point(|home| u32::from(*home) < tool);
                let homes = &homes[before(part.tools.start)..before(part.tools.end)];
                if !homes.is_empty() {
                    runs.push((order(word), homes, part.moved));
                }
            }
        }
        // Stable, so that homes stay in order. It also makes use of the sorted runs.
        runs.sort_by_key(|(order, ..)| *order);
        let mut list = List::default();
        for ((_, word), homes, moved) in runs {
            list.push(word, homes.iter().map(|home| u32::from(*home).wrapping_add(moved) as u16));
        }
        list.finish()
    }

    /// Adds to `found` the words that `word` is likely to be, each with the number of mistakes. They begin with the same
    /// letter: the first one is rarely wrong.
    pub(crate) fn similar<'a>(&'a self, word: &str, found: &mut Vec<(usize, &'a str)>) {
        if word.len() < MIN_MISSPELT || !is_candidate(word) {
            return;
        }
        let most = if word.len() < TWO_MISTAKES { 1 } else { 2 };
        let (wanted, first) = (letters(word), word.as_bytes()[0]);
        let before = |length: usize| self.partition_point(|other| (other.as_bytes()[0], other.len()) < (first, length));
        for place in before(word.len() - most)..before(word.len() + most + 1) {
            // One mistake changes two letters of the set at most.
            if (self.letters[place] ^ wanted).count_ones() as usize <= 2 * most
                && let Some(mistakes) = mistakes(word.as_bytes(), self.word(place).as_bytes(), most)
            {
                found.push((mistakes, self.word(place)));
            }
        }
    }

    /// How much memory it holds.
    pub(crate) fn bytes(&self) -> usize {
        self.text.len()
            + size_of_val(&*self.ends)
            + size_of_val(&*self.letters)
            + size_of_val(&*self.home_ends)
            + size_of_val(&*self.homes)
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.ends.len()).map(|place| self.word(place))
    }

    fn word(&self, place: usize) -> &str {
        &self.text[span(&self.ends, place)]
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

/// What ends at the end of a place and begins at that of the one before.
fn span(ends: &[u32], place: usize) -> Range<usize> {
    let start = place.checked_sub(1).map_or(0, |before| ends[before]);
    start as usize..ends[place] as usize
}

/// Sorts words by their first letter, then by their length, then by their letters: the number has the first of them.
fn order(word: &str) -> (u64, &str) {
    let letter = |place: usize| u64::from(word.as_bytes().get(place).copied().unwrap_or(0));
    let letters = (1..7).fold(0, |letters, place| letters << 8 | letter(place));
    (letter(0) << 56 | (word.len() as u64) << 48 | letters, word)
}

/// Words being put together.
#[derive(Default)]
struct List {
    text: String,
    ends: Vec<u32>,
    letters: Vec<u32>,
    home_ends: Vec<u32>,
    homes: Vec<u16>,
}

impl List {
    /// Adds homes of a word; words must come in order and, of one word, homes too.
    fn push(&mut self, word: &str, homes: impl IntoIterator<Item = u16>) {
        let is_last = self.ends.len().checked_sub(1).is_some_and(|last| self.text[span(&self.ends, last)] == *word);
        if !is_last {
            self.text.push_str(word);
            self.ends.push(self.text.len() as u32);
            self.letters.push(letters(word));
            self.home_ends.push(0);
        }
        self.homes.extend(homes);
        if let Some(end) = self.home_ends.last_mut() {
            *end = self.homes.len() as u32;
        }
    }

    fn finish(self) -> Words {
        Words {
            text: self.text.into(),
            ends: self.ends.into(),
            letters: self.letters.into(),
            home_ends: self.home_ends.into(),
            homes: self.homes.into(),
        }
    }
}

/// Whether a misspelt word may be taken for `word`, which is folded.
pub(crate) fn is_candidate(word: &str) -> bool {
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

    fn words(words: &[&str]) -> Words {
        Words::new(&words.iter().map(|word| Box::from(*word)).collect())
    }

    #[test]
    fn finds_what_is_likely_meant() {
        let words = words(&["calendar", "colander", "delete", "depute", "email", "emails", "map", "repository"]);
        for (word, expected) in [
            ("calender", &[(1, "calendar"), (2, "colander")][..]),
            ("delte", &[(1, "delete")]),
            ("emial", &[(1, "email")]),
            ("repositroy", &[(1, "repository")]),
            ("reposiitoory", &[(2, "repository")]),
            ("delete", &[]),
            ("xalendar", &[]),
            ("mpa", &[]),
            ("maap", &[]),
            ("", &[]),
            ("日本語", &[]),
        ] {
            let mut found = Vec::new();
            words.similar(word, &mut found);
            found.sort_unstable();
            assert_eq!(found, expected, "{word}");
        }
    }

    #[test]
    fn what_is_joined_has_the_words_of_its_servers_and_no_others() {
        let [one, two, three] = [&["beta", "alpha"][..], &["alpha", "gamma"], &["alpha", "gammon"]].map(words);
        let all = |tools: Range<u32>| -> Words {
            // Servers of ten tools each.
            let parts = [&one, &two, &three].map(|words| Part { words, tools: 0..10, moved: 0 });
            let parts: Vec<_> = (0..).zip(parts).map(|(place, part)| Part { moved: place * 10, ..part }).collect();
            let words = Words::join(&parts);
            Words::join(&[Part { words: &words, moved: 0_u32.wrapping_sub(tools.start), tools }])
        };
        let check = |tools: Range<u32>, expected: &[&str], homes: &[u16]| {
            let words = all(tools);
            assert_eq!(words.iter().collect::<Vec<_>>(), expected);
            let place = words.iter().position(|word| word == "alpha").expect("all have it");
            assert_eq!(&words.homes[span(&words.home_ends, place)], homes);
        };
        check(0..30, &["alpha", "beta", "gamma", "gammon"], &[0, 10, 20]);
        check(0..10, &["alpha", "beta"], &[0]);
        check(10..30, &["alpha", "gamma", "gammon"], &[0, 10]);
        check(20..30, &["alpha", "gammon"], &[0]);
    }

    #[test]
    fn words_that_nothing_could_be_taken_for_are_left_out() {
        let words = words(&["gamma", "Größe", "x", "two words", &"z".repeat(MAX_WORD + 1)]);
        assert_eq!(words.iter().collect::<Vec<_>>(), ["gamma"]);
    }
}
