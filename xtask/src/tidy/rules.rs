//! The rules for one source file.

use super::finding::Finding;
use super::lexer::Kind;
use super::source::Source;

/// Lines of a file without its tests: above the first is a warning, above the second an error.
const FILE_LINES: (usize, usize) = (400, 700);
/// Lines of a function from `fn` to its closing brace, likewise.
const FUNCTION_LINES: (usize, usize) = (80, 120);
const MAX_PARAMS: usize = 6;
/// Fields of a struct whose name ends in `State`.
const MAX_STATE_FIELDS: usize = 7;
/// A shorter text does not tell an invariant.
const MIN_INVARIANT_WORDS: usize = 2;

/// Everything that `source` does against the rules.
pub fn judge(source: &Source<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(sizes(source));
    findings.extend(attributes(source));
    findings.extend(panics(source));
    findings.extend(detached_tasks(source));
    findings.extend(comments(source));
    findings.extend(declarations(source));
    findings
}

fn sizes(source: &Source<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut limit = |line, what: &str, lines, (soft, hard): (usize, usize)| {
        let message = format!("{what} has {lines} lines (aim {soft}, limit {hard}); a concept is missing its name");
        if lines > hard {
            findings.push(Finding::error(source.path, line, message));
        } else if lines > soft {
            findings.push(Finding::warning(source.path, line, message));
        }
    };
    limit(1, "the file, without tests,", source.lines_without_tests(), FILE_LINES);
    let functions = source.functions();
    for function in &functions {
        limit(function.line, &format!("`{}`", function.name), function.lines, FUNCTION_LINES);
    }
    for function in functions.iter().filter(|function| function.params > MAX_PARAMS) {
        let message = format!("`{}` has {} parameters, more than {MAX_PARAMS}", function.name, function.params);
        findings.push(Finding::error(source.path, function.line, message));
    }
    for (name, line, fields) in source.structs() {
        if name.ends_with("State") && fields > MAX_STATE_FIELDS {
            let message =
                format!("`{name}` has {fields} fields, more than {MAX_STATE_FIELDS}: it holds several things");
            findings.push(Finding::error(source.path, line, message));
        }
    }
    findings
}

fn attributes(source: &Source<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for index in 0..source.tokens.len() {
        let Some(inside) = source.attribute(index) else { continue };
        let line = source.tokens[index].line;
        if source.reads(inside.start, &["ignore"]) {
            findings.push(Finding::error(source.path, line, "no `#[ignore]`: make the test pass, or delete it"));
        }
        // Within `cfg_attr` too.
        let begins_call = |at: usize| at == inside.start || source.tokens[at - 1].text == ",";
        if inside.clone().any(|at| begins_call(at) && source.reads(at, &["allow", "("])) {
            findings.push(Finding::error(source.path, line, "no `#[allow]`: use `#[expect(…, reason = \"…\")]`"));
        }
        if inside.clone().any(|at| begins_call(at) && source.reads(at, &["expect", "("]))
            && !inside.clone().any(|at| source.reads(at, &["reason", "="]))
        {
            findings.push(Finding::error(source.path, line, "`#[expect]` needs its `reason = \"…\"`"));
        }
    }
    findings
}

fn panics(source: &Source<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for index in (0..source.tokens.len()).filter(|index| !source.in_test(*index)) {
        let line = source.tokens[index].line;
        for method in ["unwrap", "unwrap_err"] {
            // Called, or handed over as `Option::unwrap`.
            if source.reads(index, &[".", method, "("]) || source.reads(index, &[":", ":", method]) {
                let message = format!("no `{method}` outside tests: return an error, or `expect` the invariant");
                findings.push(Finding::error(source.path, line, message));
            }
        }
        for method in ["expect", "expect_err"] {
            if source.reads(index, &[".", method, "("]) && !tells_invariant(source, index + 3) {
                let message = format!("the text of `{method}` must be a literal that tells the invariant");
                findings.push(Finding::error(source.path, line, message));
            }
        }
    }
    findings
}

fn tells_invariant(source: &Source<'_>, argument: usize) -> bool {
    source.tokens.get(argument).is_some_and(|token| {
        let words = token.text.trim_matches(['r', '#', '"']).split_whitespace().count();
        token.kind == Kind::Text && words >= MIN_INVARIANT_WORDS
    })
}

fn detached_tasks(source: &Source<'_>) -> Vec<Finding> {
    const DETACHED: [&[&str]; 4] = [
        &["tokio", ":", ":", "spawn"],
        &["tokio", ":", ":", "task", ":", ":", "spawn"],
        &["task", ":", ":", "spawn"],
        &["thread", ":", ":", "spawn"],
    ];
    let mut findings: Vec<Finding> = Vec::new();
    for index in (0..source.tokens.len()).filter(|index| !source.in_test(*index)) {
        let by_path = DETACHED.iter().any(|path| source.reads(index, path));
        let after = |word: &str| index > 0 && source.tokens[index - 1].text == word;
        let bare = source.reads(index, &["spawn", "("]) && !after(".") && !after(":") && !after("fn");
        let line = source.tokens[index].line;
        let is_new = findings.last().is_none_or(|last| last.line != line);
        if (by_path || bare) && is_new {
            let message = "no bare `spawn`: somebody must wait for the task (`TaskTracker`, `JoinSet`, a scope)";
            findings.push(Finding::error(source.path, line, message));
        }
    }
    findings
}

fn comments(source: &Source<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for comment in &source.comments {
        for (offset, text) in comment.text.lines().enumerate() {
            let line = comment.line + offset;
            let has = |mark: &str| text.split(|c: char| !c.is_alphanumeric()).any(|word| word == mark);
            if let Some(mark) = ["TODO", "FIXME", "XXX"].into_iter().find(|mark| has(mark)) {
                findings.push(Finding::error(source.path, line, format!("no `{mark}` is left: do it, or file it")));
            }
            let fence = text.trim_start_matches(['/', '!', '*', ' ']).strip_prefix("```");
            if fence.is_some_and(|language| language.split(',').any(|word| word.trim() == "ignore")) {
                let message = "no ignored example: make it run, or mark it `text` or `no_run`";
                findings.push(Finding::error(source.path, line, message));
            }
        }
    }
    findings
}

/// `lib.rs` and `mod.rs` only declare and re-export.
fn declarations(source: &Source<'_>) -> Vec<Finding> {
    let file = source.path.rsplit('/').next().unwrap_or_default();
    if file != "lib.rs" && file != "mod.rs" {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let mut index = 0;
    while let Some(token) = source.tokens.get(index) {
        if let Some(attribute) = source.attribute(index) {
            index = if source.in_test(index) { source.after_item(index + 1) } else { attribute.end + 1 };
            continue;
        }
        let end = source.after_item(index).max(index + 1);
        let mut keyword = index;
        if source.reads(keyword, &["pub"]) {
            keyword += 1;
        }
        if source.reads(keyword, &["("]) {
            keyword = source.after_group(keyword);
        }
        let declares = source.reads(keyword, &["mod"]) && source.reads(end - 1, &[";"]);
        let imports = source.reads(keyword, &["use"]) || source.reads(keyword, &["extern", "crate"]);
        if !declares && !imports && token.text != ";" && !source.in_test(index) {
            let message = format!("`{file}` only declares and re-exports: move this to a file named after it");
            findings.push(Finding::error(source.path, token.line, message));
        }
        index = end;
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Judges `text` as `path`; expected are line and the beginning of each message.
    fn check_at(path: &str, text: &str, expected: &[(usize, &str)]) {
        let findings = judge(&Source::new(path, text, path.contains("/tests/")));
        let found: Vec<_> = findings.iter().map(|finding| (finding.line, finding.message.as_str())).collect();
        let agree = found.len() == expected.len()
            && found
                .iter()
                .zip(expected)
                .all(|(found, expected)| found.0 == expected.0 && found.1.starts_with(expected.1));
        assert!(agree, "{text}\nfound {found:#?}\nexpected {expected:#?}");
    }

    fn check(text: &str, expected: &[(usize, &str)]) {
        check_at("crates/a/src/a.rs", text, expected);
    }

    #[test]
    fn panics_are_for_tests() {
        check("fn a() { b.unwrap(); }", &[(1, "no `unwrap`")]);
        check("fn a() { b\n.unwrap_err\n() }", &[(2, "no `unwrap_err`")]);
        check("fn a() { b.map(Option::unwrap); }", &[(1, "no `unwrap`")]);
        check("fn a() { format!(\"{}\", b.unwrap()) }", &[(1, "no `unwrap`")]);
        check("fn a() { b.unwrap_or_default().unwrap_or(1); \"x.unwrap()\"; } // c.unwrap()", &[]);
        check("#[cfg(test)] mod tests { fn a() { b.unwrap().expect(\"\"); } }", &[]);
        check_at("crates/a/tests/it/main.rs", "fn a() { b.unwrap(); }", &[]);
        check("fn a() { b.expect(\"the lock is never poisoned\") }", &[]);
        check("fn a() { b.expect(r#\"the lock is held\"#) }", &[]);
        for text in ["\"ok\"", "\"\"", "message", "&format!(\"a b\")"] {
            check(&format!("fn a() {{ b.expect({text}) }}"), &[(1, "the text of `expect`")]);
        }
    }

    #[test]
    fn tasks_have_owners() {
        for call in ["tokio::spawn(b)", "tokio::task::spawn(b)", "task::spawn(b)", "std::thread::spawn(b)", "spawn(b)"]
        {
            check(&format!("fn a() {{ {call}; }}"), &[(1, "no bare `spawn`")]);
        }
        check("use tokio::spawn;", &[(1, "no bare `spawn`")]);
        check("fn a() { set.spawn(b); tracker.spawn(c); Command::new(d).spawn(); task::spawn_blocking(e); }", &[]);
        check("fn a() { tokio_util::task::TaskTracker::new().spawn(b); thread::Builder::new().spawn(c); }", &[]);
        check("fn spawn(a: u8) {}", &[]);
        check("#[tokio::test] async fn a() { tokio::spawn(b); }", &[]);
    }

    #[test]
    fn attributes_give_reasons() {
        check("#[allow(dead_code)] fn a() {}", &[(1, "no `#[allow]`")]);
        check("#![allow(dead_code)]", &[(1, "no `#[allow]`")]);
        check("\n#[cfg_attr(test, allow(dead_code))] fn a() {}", &[(2, "no `#[allow]`")]);
        check("#[cfg(test)] mod t { #[allow(x)] fn a() {} }", &[(1, "no `#[allow]`")]);
        check("#[expect(dead_code)] fn a() {}", &[(1, "`#[expect]` needs")]);
        check("#[expect(dead_code, reason = \"later\")] fn a() { \"#[allow(x)]\"; }", &[]);
        check("#[test]\n#[ignore = \"slow\"]\nfn a() {}", &[(2, "no `#[ignore]`")]);
        check("/// ```ignore\n/// x\n/// ```\nfn a() {}", &[(1, "no ignored example")]);
        check("/// ```no_run\n/// x\n/// ```\nfn a() {}", &[]);
    }

    #[test]
    fn nothing_is_left_for_later() {
        // Built at run time, or this file would break the rule it tests.
        let todo = ["TO", "DO"].concat();
        check(&format!("// {todo}: this\nfn a() {{}} /* and\n {todo}(me) that */"), &[(1, "no `"), (3, "no `")]);
        check(&format!("// a {todo}S list\nconst A: &str = \"{todo}\";"), &[]);
    }

    #[test]
    fn sizes_have_limits() {
        let lines = |count: usize| "    a();\n".repeat(count);
        check(&format!("fn a() {{\n{}}}", lines(78)), &[]);
        check(&format!("fn a() {{\n{}}}", lines(79)), &[(1, "`a` has 81 lines")]);
        check(&format!("#[test]\nfn a() {{\n{}}}", lines(200)), &[]);
        check(&format!("#[cfg(test)]\nmod tests {{\n{}}}", lines(800)), &[]);
        check(&lines(401), &[(1, "the file, without tests, has 401 lines")]);
        check("fn a(self, b: u8, c: u8, d: u8, e: u8, f: u8) {}", &[]);
        check("fn a(self, b: u8, c: u8, d: u8, e: u8, f: u8, g: (u8, u8)) {}", &[(1, "`a` has 7 parameters")]);
        check("struct BState { a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8 }", &[]);
        check(
            "struct BState { a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8 }",
            &[(1, "`BState` has 8 fields")],
        );
        check("struct Config { a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8 }", &[]);
    }

    #[test]
    fn soft_limits_warn_and_hard_ones_fail() {
        use super::super::finding::Severity::{Error, Warning};
        for (lines, severity) in [(100, Warning), (130, Error)] {
            let text = format!("fn a() {{\n{}}}", "    a();\n".repeat(lines));
            assert_eq!(judge(&Source::new("a.rs", &text, false))[0].severity, severity);
        }
    }

    #[test]
    fn roots_only_declare() {
        let good = "//! Doc.\n#![warn(x)]\nmod a;\n#[cfg(unix)]\npub(crate) mod b;\npub use a::{B, c::*};\n\
            #[cfg(test)]\nmod tests { fn a() {} }\n#[cfg(test)]\nmod more;\nextern crate alloc;";
        check_at("crates/a/src/lib.rs", good, &[]);
        for item in ["fn a() {}", "pub struct A { b: u8 }", "pub const A: u8 = 1;", "mod a { }", "impl A for B {}"] {
            let text = format!("mod a;\n{item}\npub use a::A;");
            check_at("crates/a/src/lib.rs", &text, &[(2, "`lib.rs` only declares")]);
            check_at("crates/a/src/b/mod.rs", &text, &[(2, "`mod.rs` only declares")]);
            check_at("crates/a/src/b.rs", &text, &[]);
        }
    }
}
