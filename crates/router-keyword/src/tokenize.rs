//! Text → terms.
//!
//! A text is cut into pieces, each is folded to one spelling and stemmed, and the result is a [`Term`]. Words of
//! one identifier are also joined, so that `key_vault`, `keyVault`, `keyvault` and, in a query, `key vault` have
//! a term in common. Writing without spaces becomes overlapping pairs of characters.

use std::collections::HashSet;
use std::hash::Hasher;
use std::mem;
use std::sync::LazyLock;

use frostem::{Algorithm, Stemmer};
use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet, FxHasher};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::pieces::pieces;
use crate::spelling::is_candidate;

/// A term's fingerprint. That two terms of one index share one is not to be expected of 64 bits, and would do
/// no more harm than a homonym does.
pub(crate) type Term = u64;

/// Longest folded word, in bytes; what is longer is cut, in tools and queries alike.
const MAX_WORD: usize = 64;

/// How many words are joined at most.
const MAX_JOINED: usize = 8;

/// How many words' terms a tokenizer remembers.
const MAX_REMEMBERED: usize = 1 << 16;

/// How many words are kept until they are taken.
const MAX_KEPT: usize = 1 << 14;

/// Words that say nothing about what is wanted.
static STOP_WORDS: LazyLock<HashSet<&str, FxBuildHasher>> = LazyLock::new(|| {
    "a about after all also am an and any are as at be because been before being both but by can could d did do does \
     doing don during each either else etc few for from further had has have having he her here hers him his how i if \
     in into is it its itself just let ll m may me might more most must my need no nor not now of off on once only or \
     other our ours out over own per please re s same shall she should so some such t than that the their theirs them \
     then there these they this those through to too under until upon us ve very via want was we were what when where \
     whether which while who whom whose why will with within without would you your yours"
        .split(' ')
        .collect()
});

/// One term of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    /// The term.
    pub(crate) term: Term,
    /// What it was made from.
    pub(crate) kind: Kind,
    /// Where it stands in the text, in bytes.
    pub(crate) start: usize,
    /// Where it ends.
    pub(crate) end: usize,
}

/// What a term was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One word, or two neighbouring characters of a writing without spaces.
    Word,
    /// A word of digits only.
    Number,
    /// A word that every text has.
    Stop,
    /// Two or more words written as one.
    Joined,
    /// All words of a short text, without stop words where it has others: the same name, whatever joins or parts
    /// its words.
    Whole,
}

/// Which words are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Joining {
    /// Those of one identifier: `read_file` in a description.
    Identifiers,
    /// Neighbours too, and the whole text where it is short ([`Kind::Whole`]): names and queries.
    Neighbours,
}

/// Makes terms. Remembers the words that it has met, so one is best used for many texts.
pub(crate) struct Tokenizer {
    stemmer: Stemmer,
    remembered: FxHashMap<Box<str>, (Term, Kind)>,
    /// The words met lately, where they are kept.
    words: Option<FxHashSet<Box<str>>>,
    word: String,
}

impl Tokenizer {
    pub(crate) fn new() -> Self {
        Self {
            stemmer: Stemmer::new(Algorithm::English),
            remembered: FxHashMap::default(),
            words: None,
            word: String::new(),
        }
    }

    /// One that keeps the words that it meets and that misspelt ones may be taken for.
    pub(crate) fn with_words() -> Self {
        Self { words: Some(FxHashSet::default()), ..Self::new() }
    }

    /// The words met since they were last taken, folded; none where they are not kept.
    pub(crate) fn take_words(&mut self) -> FxHashSet<Box<str>> {
        self.words.as_mut().map(mem::take).unwrap_or_default()
    }

    /// The term of one word as it is written in a text.
    pub(crate) fn word(&mut self, word: &str) -> Term {
        self.term(word).0
    }

    /// Hands the terms of `text` to `emit`. A joined term may come more than once.
    pub(crate) fn tokenize(&mut self, text: &str, joining: Joining, emit: &mut dyn FnMut(Token)) {
        let mut word = mem::take(&mut self.word);
        let (mut identifier, mut pair) = (Joined::default(), Joined::default());
        let (mut whole, mut telling) = (Joined::default(), Joined::default());
        for piece in pieces(text) {
            let (start, end) = (piece.start, piece.end);
            if !piece.glued {
                identifier.finish(self, emit);
            }
            if piece.spaceless {
                whole.spoil();
                telling.spoil();
                pair.clear();
                spaceless(&text[start..end], start, emit);
                continue;
            }
            fold(&text[start..end], &mut word);
            identifier.push(&word, start, end);
            let (term, kind) = self.term(&word);
            if kind == Kind::Word
                && is_candidate(&word)
                && let Some(words) = self.words.as_mut()
                && words.len() < MAX_KEPT
                && !words.contains(&*word)
            {
                words.insert(word.as_str().into());
            }
            emit(Token { term, kind, start, end });
            if joining == Joining::Neighbours {
                whole.push(&word, start, end);
                if kind == Kind::Stop {
                    pair.clear();
                } else {
                    telling.push(&word, start, end);
                    pair.slide(&word, start, end);
                    pair.emit(self, emit);
                }
            }
        }
        identifier.finish(self, emit);
        if joining == Joining::Neighbours {
            let whole = if telling.words > 0 { telling } else { whole };
            whole.emit_whole(self, emit);
        }
        self.word = word;
    }

    /// The term of a folded word.
    fn term(&mut self, word: &str) -> (Term, Kind) {
        if let Some(known) = self.remembered.get(word) {
            return *known;
        }
        let kind = if STOP_WORDS.contains(word) {
            Kind::Stop
        } else if word.chars().all(char::is_numeric) {
            Kind::Number
        } else {
            Kind::Word
        };
        let term = (self.stem(word), kind);
        if self.remembered.len() < MAX_REMEMBERED {
            self.remembered.insert(word.into(), term);
        }
        term
    }

    fn stem(&self, word: &str) -> Term {
        // The stemmer is for English; other letters it would only harm.
        if word.len() > 2 && word.bytes().all(|byte| byte.is_ascii_lowercase()) {
            fingerprint(&self.stemmer.stem(word))
        } else {
            fingerprint(word)
        }
    }
}

/// Folded words on their way to a joined term.
#[derive(Default)]
struct Joined {
    text: String,
    words: usize,
    start: usize,
    /// Where the last word begins, in `text` and in the tokenized text.
    last: (usize, usize),
    end: usize,
    spoiled: bool,
}

impl Joined {
    fn push(&mut self, word: &str, start: usize, end: usize) {
        if self.words == 0 {
            self.start = start;
        }
        self.words += 1;
        if self.words <= MAX_JOINED {
            self.last = (self.text.len(), start);
            self.text.push_str(word);
            self.end = end;
        }
    }

    /// Adds `word` and keeps only it and the word before.
    fn slide(&mut self, word: &str, start: usize, end: usize) {
        if self.words == 2 {
            self.text.drain(..self.last.0);
            self.start = self.last.1;
            self.words = 1;
        }
        self.push(word, start, end);
    }

    fn clear(&mut self) {
        self.text.clear();
        self.words = 0;
    }

    /// Never emits from now on.
    fn spoil(&mut self) {
        self.spoiled = true;
    }

    fn emit(&self, tokenizer: &mut Tokenizer, emit: &mut dyn FnMut(Token)) {
        if (2..=MAX_JOINED).contains(&self.words) && !self.spoiled {
            let (term, _) = tokenizer.term(cut(&self.text));
            emit(Token { term, kind: Kind::Joined, start: self.start, end: self.end });
        }
    }

    fn emit_whole(&self, tokenizer: &mut Tokenizer, emit: &mut dyn FnMut(Token)) {
        if (1..=MAX_JOINED).contains(&self.words) && !self.spoiled {
            // Turned round, so that the name `search` is another term than the word.
            let (word, _) = tokenizer.term(cut(&self.text));
            emit(Token { term: !word, kind: Kind::Whole, start: self.start, end: self.end });
        }
    }

    fn finish(&mut self, tokenizer: &mut Tokenizer, emit: &mut dyn FnMut(Token)) {
        self.emit(tokenizer, emit);
        self.clear();
    }
}

/// Emits each two neighbouring characters of `run`, which begins at `offset`; one alone where it is all.
fn spaceless(run: &str, offset: usize, emit: &mut dyn FnMut(Token)) {
    let mut word = String::new();
    let mut emit_part = |start: usize, end: usize| {
        // Half-width and full-width forms are one; voicing marks make another letter and stay.
        word.clear();
        word.extend(run[start..end].nfkc());
        emit(Token { term: fingerprint(&word), kind: Kind::Word, start: offset + start, end: offset + end });
    };
    let mut starts = run.char_indices().map(|(start, _)| start).skip(1);
    let Some(mut middle) = starts.next() else {
        return emit_part(0, run.len());
    };
    let mut start = 0;
    for next in starts.chain([run.len()]) {
        emit_part(start, next);
        (start, middle) = (middle, next);
    }
}

/// Writes `piece` to `word` in the one spelling that is compared: lower case, compatibility forms resolved,
/// without diacritics on Latin and Greek letters, at most [`MAX_WORD`] bytes.
pub(crate) fn fold(piece: &str, word: &mut String) {
    word.clear();
    if piece.is_ascii() {
        word.push_str(piece);
        word.make_ascii_lowercase();
    } else {
        let mut base = 'a';
        for c in piece.nfkd().flat_map(char::to_lowercase) {
            if !is_combining_mark(c) {
                base = c;
            } else if base < '\u{400}' {
                continue;
            }
            word.push(c);
        }
    }
    word.truncate(cut(word).len());
}

/// The first [`MAX_WORD`] bytes of `word`, or one character less.
fn cut(word: &str) -> &str {
    crate::fields::bounded(word, MAX_WORD)
}

fn fingerprint(word: &str) -> Term {
    let mut hasher = FxHasher::default();
    hasher.write(word.as_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The terms of `text` with the words they were made from, by kind.
    fn tokens(text: &str, joining: Joining) -> Vec<(Term, Kind, &str)> {
        let mut tokens = Vec::new();
        Tokenizer::new().tokenize(text, joining, &mut |token| {
            tokens.push((token.term, token.kind, &text[token.start..token.end]));
        });
        tokens
    }

    fn words(text: &str) -> Vec<Term> {
        tokens(text, Joining::Neighbours)
            .into_iter()
            .filter(|(_, kind, _)| matches!(kind, Kind::Word | Kind::Number))
            .map(|(term, ..)| term)
            .collect()
    }

    #[test]
    fn different_spellings_are_one_term() {
        for (one, other) in [
            ("createIssue", "create issues"),
            ("create_issue", "Creating ISSUE"),
            ("HTTPServer", "http servers"),
            ("Café Übersicht", "cafe ubersicht"),
            ("cafe\u{301}", "CAFÉ"),
            ("ＡＢＣ１", "abc1"),
            ("ﬁle", "file"),
            ("İstanbul", "istanbul"),
            ("ΑΘΗΝΑ Αθήνα", "αθηνα αθηνα"),
            ("ﾌｧｲﾙ", "ファイル"),
            ("the user's files, please", "user file"),
            ("", "the of and"),
        ] {
            assert_eq!(words(one), words(other), "{one:?} and {other:?}");
        }
    }

    #[test]
    fn different_words_are_different_terms() {
        for (one, other) in [("がく", "かく"), ("create", "delete"), ("й", "и"), ("1", "2"), ("कल", "कला")]
        {
            assert_ne!(words(one), words(other), "{one:?} and {other:?}");
        }
    }

    #[test]
    fn joins_neighbours_and_identifiers() {
        let check = |text: &str, joining: Joining, kind: Kind, expected: &[&str]| {
            let found: Vec<&str> =
                tokens(text, joining).into_iter().filter(|token| token.1 == kind).map(|token| token.2).collect();
            assert_eq!(found, expected, "{text}");
        };
        use Joining::{Identifiers, Neighbours};
        check("call read_file now", Identifiers, Kind::Joined, &["read_file"]);
        check("key vault secret", Neighbours, Kind::Joined, &["key vault", "vault secret"]);
        check("key of vault", Neighbours, Kind::Joined, &[]);
        check("who_is", Neighbours, Kind::Joined, &["who_is"]);
        check("key vault", Neighbours, Kind::Whole, &["key vault"]);
        check("search", Neighbours, Kind::Whole, &["search"]);
        check("please open a door", Neighbours, Kind::Whole, &["open a door"]);
        check("who_is", Neighbours, Kind::Whole, &["who_is"]);
        check("搜索 web", Neighbours, Kind::Whole, &[]);
        check("one two three four five six seven eight nine", Neighbours, Kind::Whole, &[]);
        check("读取文件 x", Neighbours, Kind::Word, &["读取", "取文", "文件", "x"]);
        check("读", Neighbours, Kind::Word, &["读"]);
        check("base64", Neighbours, Kind::Number, &["64"]);
        let joined = |text, joining| {
            let token = tokens(text, joining).into_iter().find(|token| token.1 == Kind::Joined);
            token.map(|token| token.0)
        };
        assert_eq!(joined("key vaults", Neighbours), joined("keyVault", Identifiers));
        assert_eq!(joined("key vault", Neighbours), words("keyvault").first().copied());
    }

    #[test]
    fn long_words_are_cut_alike() {
        let (long, longer) = ("é".repeat(500), "é".repeat(100_000));
        assert_eq!(words(&long), words(&longer));
    }
}
