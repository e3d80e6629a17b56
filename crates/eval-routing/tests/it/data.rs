//! Sets are read as they should be, and what is wrong with one is named.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use eval_routing::{Data, Quality, judge, measure_set};
use flate2::Compression;
use flate2::write::GzEncoder;
use gateway_core::{Router as _, ToolRef};

const TOOLS: &str = r#"{"id":"a","server":"one","name":"add","description":"Adds numbers","input_schema":{}}
{"id":"b","server":"two","name":"sub","input_schema":{"type":"object"},"server_description":"Takes away"}
{"id":"c","server":"one","name":"mul","input_schema":{},"category":"unknown fields are passed over"}
"#;
const QUERIES: &str = r#"{"id":"1","query":"sub","gold":["b","c"],"alternatives":{"c":["a"]}}
"#;

fn write(folder: &Path, name: &str, text: &str) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join(name), text).unwrap();
}

fn pack(folder: &Path, name: &str, text: &str) {
    fs::create_dir_all(folder).unwrap();
    let mut file = GzEncoder::new(fs::File::create(folder.join(name)).unwrap(), Compression::fast());
    file.write_all(text.as_bytes()).unwrap();
    file.finish().unwrap();
}

fn tool(server: u32, tool: u32) -> ToolRef {
    ToolRef { server, tool }
}

#[test]
fn sets_at_any_depth_share_catalogues() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    pack(&root.join("pool"), "corpus.jsonl.gz", TOOLS);
    pack(&root.join("b/deep"), "queries.jsonl.gz", QUERIES);
    write(&root.join("b/deep"), "CORPUS", "../../pool/corpus.jsonl.gz\n");
    write(&root.join("a"), "queries.jsonl", QUERIES);
    write(&root.join("a"), "CORPUS", "../pool/corpus.jsonl");
    write(&root.join("c"), "queries.jsonl", QUERIES);
    write(&root.join("c"), "corpus.jsonl", TOOLS);
    write(&root.join("c"), "irrelevant.jsonl", "{\"id\":\"x\",\"query\":\"hello\"}\n\n");
    let data = Data::read(root).unwrap();
    let found: Vec<_> = data.sets.iter().map(|set| (&*set.name, set.catalogue, set.irrelevant.len())).collect();
    assert_eq!(found, [("a", 0, 0), ("b/deep", 0, 0), ("c", 1, 1)]);
    for set in &data.sets {
        let catalogue = data.catalogue(set);
        assert_eq!(catalogue.tools(), 3);
        assert_eq!(catalogue.servers[1].about(), "Takes away");
        assert_eq!(set.requests[0].slots, [vec![tool(1, 0)], vec![tool(0, 1), tool(0, 0)]]);
    }
    assert_eq!(Data::read(&root.join("c")).unwrap().sets[0].name, "c");
}

#[test]
fn a_name_that_a_server_has_twice_is_one_tool() {
    let folder = tempfile::tempdir().unwrap();
    let again = r#"{"id":"d","server":"one","name":"mul","input_schema":{}}"#;
    write(folder.path(), "corpus.jsonl", &format!("{TOOLS}{again}\n"));
    write(folder.path(), "queries.jsonl", r#"{"id":"1","query":"x","gold":["d"]}"#);
    let data = Data::read(folder.path()).unwrap();
    assert_eq!(data.sets[0].requests[0].slots, [[tool(0, 1)]]);
}

/// What is said of a set whose tools and requests are these.
fn check(tools: &str, queries: &str, expected: &str) {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "corpus.jsonl", tools);
    write(folder.path(), "queries.jsonl", queries);
    let message = Data::read(folder.path()).unwrap_err().to_string();
    assert!(message.contains(expected), "{message}\nshould say\n{expected}");
}

#[test]
fn mistakes_are_named_with_file_line_and_field() {
    check(TOOLS, "{\"id\":\"1\",\"query\":\"x\"}", "queries.jsonl, line 1: missing field `gold`");
    check(TOOLS, "\n{\"id\":\"1\",\"gold\":[\"a\"]}", "queries.jsonl, line 2: missing field `query`");
    check(TOOLS, "{\"id\":\"1\",\"query\":7,\"gold\":[\"a\"]}", "invalid type: integer `7`, expected a string");
    check(TOOLS, "no JSON", "queries.jsonl, line 1: expected ");
    check(TOOLS, "", "queries.jsonl: has no requests");
    check(TOOLS, r#"{"id":"1","query":"x","gold":[]}"#, "line 1: `gold` is empty");
    check(TOOLS, r#"{"id":"1","query":"x","gold":["z"]}"#, "line 1: `gold` names \"z\", which is not in ");
    let queries = r#"{"id":"1","query":"x","gold":["a"],"alternatives":{"a":["z"]}}"#;
    check(TOOLS, queries, "line 1: `alternatives` names \"z\"");
    let queries = r#"{"id":"1","query":"x","gold":["a"],"alternatives":{"b":["a"]}}"#;
    check(TOOLS, queries, "line 1: `alternatives` has \"b\", which is not in `gold`");
    check(TOOLS, &QUERIES.repeat(2), "line 2: `id` is \"1\", which an earlier line has");
    check("", QUERIES, "corpus.jsonl: has no tools");
    check(&TOOLS.repeat(2), QUERIES, "corpus.jsonl, line 4: `id` is \"a\", which an earlier line has");
    check(r#"{"id":"a","server":"s","name":"n"}"#, QUERIES, "corpus.jsonl, line 1: missing field `input_schema`");
    let tools = format!("{TOOLS}{}", r#"{"id":"d","server":"s","name":"n","input_schema":[]}"#);
    check(&tools, QUERIES, "line 4: the tool \"d\" cannot be read: `inputSchema` is missing or no object");
}

#[test]
fn missing_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let said = |folder: &Path| Data::read(folder).unwrap_err().to_string();
    assert!(said(folder.path()).contains("holds no set"), "{}", said(folder.path()));
    assert!(said(&folder.path().join("no")).contains("no: cannot list it"), "{}", said(&folder.path().join("no")));
    write(folder.path(), "queries.jsonl", QUERIES);
    assert!(said(folder.path()).contains("has requests but no tools"), "{}", said(folder.path()));
    write(folder.path(), "CORPUS", "../elsewhere/corpus.jsonl.gz");
    assert!(said(folder.path()).contains("CORPUS: names "), "{}", said(folder.path()));
    write(folder.path(), "queries.jsonl.gz", "not packed");
    fs::remove_file(folder.path().join("queries.jsonl")).unwrap();
    fs::remove_file(folder.path().join("CORPUS")).unwrap();
    write(folder.path(), "corpus.jsonl", TOOLS);
    assert!(said(folder.path()).contains("queries.jsonl.gz: cannot read it"), "{}", said(folder.path()));
}

#[tokio::test]
async fn a_set_is_measured_through_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "corpus.jsonl", TOOLS);
    let second = r#"{"id":"2","query":"nothing of the kind","gold":["a"]}"#;
    write(folder.path(), "queries.jsonl", &format!("{QUERIES}{second}"));
    let data = Data::read(folder.path()).unwrap();
    let (set, catalogue) = (&data.sets[0], data.catalogue(&data.sets[0]));
    let router = eval_routing::Bm25Router::new(eval_routing::Reading::Plain);
    let index = router.index(&catalogue.servers).await.unwrap();
    let measured = measure_set("bm25", set, catalogue, &*index).await.unwrap();
    // `sub` is found for the first request, of whose two slots it meets one; nothing for the second.
    let expected = Quality::mean(&[judge(&set.requests[0], &[tool(1, 0)]), judge(&set.requests[1], &[])]);
    assert_eq!((measured.quality, measured.requests, measured.tools), (expected, 2, 3));
    assert!((measured.quality.recall_at_10 - 0.25).abs() < 1e-9);
    assert!(matches!(measured.firsts[..], [eval_routing::First::Right(_), eval_routing::First::None]));
    assert!(measured.timing.p50_us > 0.0 && measured.timing.p99_us >= measured.timing.p50_us);
}
