//! What stands in a source file: brackets that match, tests, functions, structs.

use std::ops::Range;

use super::lexer::{Comment, Kind, Lexed, Token, lex};

/// A source file, ready to be judged.
#[derive(Debug)]
pub struct Source<'a> {
    /// Relative to the root, with `/`.
    pub path: &'a str,
    pub text: &'a str,
    pub tokens: Vec<Token<'a>>,
    pub comments: Vec<Comment<'a>>,
    /// For every opening bracket the index of its closing one.
    closing: Vec<Option<usize>>,
    /// Indices of tokens that belong to tests.
    tests: Vec<Range<usize>>,
    whole_file_is_test: bool,
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub struct Function<'a> {
    pub name: &'a str,
    /// Where its `fn` stands.
    pub line: usize,
    /// From `fn` to the closing brace.
    pub lines: usize,
    /// `self` included.
    pub params: usize,
}

impl<'a> Source<'a> {
    /// Reads a file. `is_test` says that all of it is test code, by where it lies.
    pub fn new(path: &'a str, text: &'a str, is_test: bool) -> Self {
        let Lexed { tokens, comments } = lex(text);
        let closing = match_brackets(&tokens);
        let mut source = Self { path, text, tokens, comments, closing, tests: Vec::new(), whole_file_is_test: is_test };
        source.find_tests();
        source
    }

    /// Whether the token is part of a test, or of something that is compiled for tests only.
    pub fn in_test(&self, index: usize) -> bool {
        self.whole_file_is_test || self.tests.iter().any(|range| range.contains(&index))
    }

    /// Lines of the file that belong to no test.
    pub fn lines_without_tests(&self) -> usize {
        if self.whole_file_is_test {
            return 0;
        }
        let line = |index: usize| self.tokens.get(index).map_or(0, |token| token.line);
        let in_tests: usize = self.tests.iter().map(|range| line(range.end - 1) + 1 - line(range.start)).sum();
        self.text.lines().count().saturating_sub(in_tests)
    }

    /// Names of the modules in files of their own that are compiled for tests only.
    pub fn test_modules(&self) -> Vec<&'a str> {
        let modules = self.tests.iter().filter_map(|range| {
            let tail = &self.tokens[range.clone()];
            match tail {
                [.., keyword, name, end] if keyword.text == "mod" && end.text == ";" => Some(name.text),
                _ => None,
            }
        });
        modules.collect()
    }

    /// Whether the tokens at `index` read as `words`, joined by nothing.
    pub fn reads(&self, index: usize, words: &[&str]) -> bool {
        let found = self.tokens.get(index..index + words.len());
        found.is_some_and(|found| {
            found.iter().zip(words).all(|(token, word)| token.text == *word && token.kind != Kind::Text)
        })
    }

    /// The index after the bracket that closes the one at `index`.
    pub fn after_group(&self, index: usize) -> usize {
        self.closing.get(index).copied().flatten().map_or(self.tokens.len(), |close| close + 1)
    }

    /// The attribute that begins at `index`, as the range of tokens between its brackets.
    pub fn attribute(&self, index: usize) -> Option<Range<usize>> {
        let open = match (self.reads(index, &["#", "["]), self.reads(index, &["#", "!", "["])) {
            (true, _) => index + 1,
            (_, true) => index + 2,
            _ => return None,
        };
        Some(open + 1..self.after_group(open).saturating_sub(1).max(open + 1))
    }

    /// The index after the item that begins at `index`: after its `;`, or its block.
    pub fn after_item(&self, mut index: usize) -> usize {
        while let Some(token) = self.tokens.get(index) {
            match token.text {
                ";" => return index + 1,
                "{" => return self.after_group(index),
                "(" | "[" => index = self.after_group(index),
                _ => index += 1,
            }
        }
        index
    }

    /// Every function with a body outside tests, nested ones too.
    pub fn functions(&self) -> Vec<Function<'a>> {
        let all = (0..self.tokens.len()).filter(|index| self.reads(*index, &["fn"]) && !self.in_test(*index));
        all.filter_map(|index| self.function(index)).collect()
    }

    /// Name, line and number of fields of every struct with named fields outside tests.
    pub fn structs(&self) -> Vec<(&'a str, usize, usize)> {
        let all = (0..self.tokens.len()).filter(|index| self.reads(*index, &["struct"]) && !self.in_test(*index));
        all.filter_map(|index| {
            let name = self.tokens.get(index + 1).filter(|token| token.kind == Kind::Word)?;
            let mut at = index + 2;
            while !["{", ";", "("].contains(&self.tokens.get(at)?.text) {
                at += 1;
            }
            (self.tokens[at].text == "{").then(|| (name.text, name.line, self.count_parts(at)))
        })
        .collect()
    }

    fn function(&self, index: usize) -> Option<Function<'a>> {
        let keyword = self.tokens[index];
        let name = self.tokens.get(index + 1).filter(|token| token.kind == Kind::Word)?;
        let open = self.after_generics(index + 2);
        if !self.reads(open, &["("]) {
            return None;
        }
        let end = self.after_item(self.after_group(open));
        let last = self.tokens.get(end.checked_sub(1)?).filter(|token| token.text == "}")?;
        let lines = last.line + 1 - keyword.line;
        Some(Function { name: name.text, line: keyword.line, lines, params: self.count_parts(open) })
    }

    /// The index after `<…>` when that is what stands at `index`.
    fn after_generics(&self, index: usize) -> usize {
        if !self.reads(index, &["<"]) {
            return index;
        }
        let mut angles = Angles::default();
        let mut at = index;
        while let Some(token) = self.tokens.get(at) {
            angles.see(token.text);
            match token.text {
                "(" | "[" | "{" => at = self.after_group(at),
                _ => at += 1,
            }
            if angles.depth == 0 {
                break;
            }
        }
        at
    }

    /// The parts between commas inside the bracket at `open`.
    fn count_parts(&self, open: usize) -> usize {
        let end = self.after_group(open).saturating_sub(1);
        let mut angles = Angles::default();
        let (mut parts, mut is_empty, mut at) = (0, true, open + 1);
        while at < end {
            let text = self.tokens[at].text;
            angles.see(text);
            if text == "," && angles.depth == 0 {
                is_empty = true;
            } else if is_empty {
                (parts, is_empty) = (parts + 1, false);
            }
            at = if ["(", "[", "{"].contains(&text) { self.after_group(at) } else { at + 1 };
        }
        parts
    }

    fn find_tests(&mut self) {
        let mut index = 0;
        while index < self.tokens.len() {
            let Some(attribute) = self.attribute(index) else {
                index += 1;
                continue;
            };
            if !self.is_test_attribute(attribute.clone()) {
                index = attribute.end + 1;
                continue;
            }
            if self.reads(index, &["#", "!"]) {
                self.whole_file_is_test = true;
                return;
            }
            let mut item = attribute.end + 1;
            while let Some(next) = self.attribute(item) {
                item = next.end + 1;
            }
            let end = self.after_item(item);
            self.tests.push(index..end);
            index = end;
        }
    }

    /// `#[test]`, `#[tokio::test(…)]`, `#[cfg(test)]`, `#[cfg(all(test, …))]`.
    fn is_test_attribute(&self, range: Range<usize>) -> bool {
        let inside = &self.tokens[range];
        let has = |word: &str| inside.iter().any(|token| token.kind == Kind::Word && token.text == word);
        if inside.first().is_some_and(|token| token.text == "cfg") {
            return has("test") && !has("not");
        }
        let path = inside.iter().take_while(|token| token.kind == Kind::Word || token.text == ":");
        path.last().is_some_and(|token| token.text == "test")
    }
}

/// Counts `<` and `>`, but not the `>` of `->` and `=>`.
#[derive(Default)]
struct Angles {
    depth: usize,
    after_arrow_stem: bool,
}

impl Angles {
    fn see(&mut self, text: &str) {
        match text {
            "<" => self.depth += 1,
            ">" if !self.after_arrow_stem => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.after_arrow_stem = text == "-" || text == "=";
    }
}

fn match_brackets(tokens: &[Token<'_>]) -> Vec<Option<usize>> {
    let mut closing = vec![None; tokens.len()];
    let mut open = Vec::new();
    for (index, token) in tokens.iter().enumerate().filter(|(_, token)| token.kind == Kind::Mark) {
        match token.text {
            "(" | "[" | "{" => open.push(index),
            ")" | "]" | "}" => {
                if let Some(start) = open.pop() {
                    closing[start] = Some(index);
                }
            }
            _ => {}
        }
    }
    closing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_measured() {
        let text = "\
fn one() {}
impl<T: Fn(u8) -> u8> Two<T> {
    pub async fn two<'a, F>(&'a self, map: HashMap<K, Vec<(A, B)>>, f: impl Fn(A, B) -> C, _: [u8; 3],) -> [u8; 3]
    where
        F: Fn(A) -> B,
    {
        let pointer: fn(u8) -> u8 = inner;
        fn inner(a: u8) -> u8 { a }
    }
}
trait Three { fn without_body(&self); }
#[cfg(test)]
mod tests { fn hidden(a: u8) { } }
";
        let source = Source::new("a.rs", text, false);
        let found: Vec<_> = source.functions().iter().map(|f| (f.name, f.line, f.lines, f.params)).collect();
        assert_eq!(found, [("one", 1, 1, 0), ("two", 3, 7, 4), ("inner", 8, 1, 1)]);
    }

    #[test]
    fn tests_are_told_from_the_rest() {
        let text = "\
fn product() { a.unwrap() }
#[tokio::test(flavor = \"current_thread\")]
#[expect(unused, reason = \"x\")]
async fn one() {
    b.unwrap();
}
#[cfg(all(test, unix))]
mod helper;
#[cfg(not(test))]
fn also_product() { c.unwrap() }
#[cfg(feature = \"test\")]
use x;
#[cfg(test)]
mod tests {
    fn d() {}
}
";
        let source = Source::new("a.rs", text, false);
        let tested: Vec<_> = (0..source.tokens.len())
            .filter(|index| source.tokens[*index].kind == Kind::Word && source.in_test(*index))
            .map(|index| source.tokens[index].text)
            .filter(|word| ["a", "b", "c", "d", "x", "helper"].contains(word))
            .collect();
        assert_eq!(tested, ["b", "helper", "d"]);
        assert_eq!(source.test_modules(), ["helper"]);
        assert_eq!(source.lines_without_tests(), 16 - 5 - 2 - 4);
        assert!(Source::new("b.rs", "#![cfg(test)] fn a() {}", false).in_test(8));
    }

    #[test]
    fn fields_are_counted() {
        let text =
            "pub struct AState<T> where T: X<Y = u8> { pub a: HashMap<K, V>, #[serde(x, y)] b: fn(A, B) -> C, c: T }
            struct Unit; struct Pair(u8, u8);";
        assert_eq!(Source::new("a.rs", text, false).structs(), [("AState", 1, 3)]);
    }
}
