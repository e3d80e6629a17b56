//! Files of JSON lines.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// Bytes of a line at most. The longest tool known has a tenth of it; a packed file could unpack to anything.
const MAX_LINE: u64 = 4 << 20;

/// A value with its place.
#[derive(Debug)]
pub(crate) struct Line<T> {
    /// From 1.
    pub(crate) number: usize,
    pub(crate) value: T,
}

/// The file `name` in `folder`: as it is, or packed (`name.gz`).
pub(crate) fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let packed = folder.join(format!("{name}.gz"));
    [folder.join(name), packed].into_iter().find(|path| path.is_file())
}

/// The values in `path`, one a line, unpacked where the file's name ends in `.gz`. Empty lines are passed over.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<Line<T>>> {
    let file = File::open(path).map_err(Error::file(path, "read"))?;
    let is_packed = path.extension().is_some_and(|extension| extension == "gz");
    let mut reader: Box<dyn BufRead> = match is_packed {
        true => Box::new(BufReader::new(MultiGzDecoder::new(file))),
        false => Box::new(BufReader::new(file)),
    };
    let mut values = Vec::new();
    let mut text = Vec::new();
    for number in 1.. {
        text.clear();
        let read = (&mut reader).take(MAX_LINE).read_until(b'\n', &mut text);
        if read.map_err(Error::file(path, "read"))? == 0 {
            break;
        }
        if text.len() as u64 == MAX_LINE && !text.ends_with(b"\n") {
            return Err(wrong(path, number, format!("it is longer than {MAX_LINE} bytes")));
        }
        if !text.trim_ascii().is_empty() {
            let value = serde_json::from_slice(&text).map_err(|error| wrong(path, number, misread(&error)))?;
            values.push(Line { number, value });
        }
    }
    Ok(values)
}

/// An error about one line.
pub(crate) fn wrong(path: &Path, line: usize, problem: impl Into<String>) -> Error {
    Error::Line { path: path.to_owned(), line, problem: problem.into() }
}

/// Serde counts lines too, and always finds the first one.
fn misread(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let (message, _) = text.rsplit_once(" at line ").unwrap_or((&text, ""));
    format!("{message} (column {})", error.column())
}
