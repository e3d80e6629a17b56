//! The memory as a file: JSON, with the version of its form in front.

use std::fs::{self, DirBuilder, File};
use std::io::{self, BufWriter, Read as _, Write as _};
use std::path::Path;

use gateway_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::lift::MOST;
use crate::terms::{Key, MAX_TERMS, Term};
use crate::tool::{Use, Uses};

/// What the file calls itself.
const FORMAT: &str = "mcp-gateway uses of tools";

/// The version that is written, and the newest that is understood.
const VERSION: u32 = 1;

/// Longest file that is read: many times what is ever written with the default bounds.
const MAX_BYTES: u64 = 1 << 30;

/// All that is kept.
#[derive(Debug)]
pub(crate) struct Remembered {
    pub(crate) key: Key,
    /// By tool, in no order.
    pub(crate) tools: Vec<(u64, Uses)>,
}

/// What every version begins with.
#[derive(Deserialize)]
struct Head {
    format: String,
    version: u32,
}

#[derive(Serialize, Deserialize)]
struct Document {
    format: String,
    version: u32,
    key: [u8; 16],
    tools: Vec<(u64, Vec<WrittenUse>)>,
}

/// Principal, day, what was needed, terms.
type WrittenUse = (u32, u32, f32, Vec<Term>);

/// Reads the file; `None` where there is none.
pub(crate) fn read(path: &Path) -> Result<Option<Remembered>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unread(path, &error.to_string(), "make it readable").with_source(error)),
    };
    let mut text = Vec::new();
    let length = file
        .take(MAX_BYTES + 1)
        .read_to_end(&mut text)
        .map_err(|error| unread(path, &error.to_string(), "make it readable").with_source(error))?;
    if length as u64 > MAX_BYTES {
        return Err(unread(path, &format!("it is longer than {MAX_BYTES} bytes"), ANEW));
    }
    let damaged = |error: serde_json::Error| unread(path, &format!("it is damaged: {error}"), ANEW).with_source(error);
    let head: Head = serde_json::from_slice(&text).map_err(damaged)?;
    if head.format != FORMAT {
        return Err(unread(path, "it is a file of something else", ANEW));
    }
    if head.version != VERSION {
        let version = head.version;
        let what = format!("its form is {version}, and this version of the gateway understands {VERSION}");
        return Err(unread(path, &what, "run the version that wrote it, or move it away to begin anew"));
    }
    let document: Document = serde_json::from_slice(&text).map_err(damaged)?;
    let tools = document.tools.into_iter().map(|(tool, uses)| Some((tool, checked(uses)?)));
    let tools = tools.collect::<Option<_>>();
    let tools = tools.ok_or_else(|| unread(path, "it is damaged: a use is out of bounds", ANEW))?;
    Ok(Some(Remembered { key: Key(document.key), tools }))
}

/// Writes the file, for its owner only, and makes its directory where there is none. The old file stays until the new
/// one is complete and on the disk.
pub(crate) fn write(path: &Path, remembered: &Remembered) -> Result<()> {
    let written = (|| {
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        make_directory(directory)?;
        // Made with the rights 0600, as temporary files are.
        let mut file = tempfile::Builder::new().prefix(".uses-").tempfile_in(directory)?;
        let mut writer = BufWriter::new(file.as_file_mut());
        serde_json::to_writer(&mut writer, &Document::of(remembered))?;
        writer.flush()?;
        drop(writer);
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok::<_, io::Error>(())
    })();
    written.map_err(|error| {
        let message = format!("write what was learned to {} (data.dir): {error}", path.display());
        Error::new(ErrorKind::Internal, message).with_source(error)
    })
}

impl Document {
    fn of(remembered: &Remembered) -> Self {
        let written = |known: &Use| (known.principal, known.day, known.needed, known.terms.to_vec());
        let tool = |(tool, uses): &(u64, Uses)| (*tool, uses.0.iter().map(written).collect());
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            key: remembered.key.0,
            tools: remembered.tools.iter().map(tool).collect(),
        }
    }
}

/// The uses of one tool; `None` where one of them is none that is ever written.
fn checked(uses: Vec<WrittenUse>) -> Option<Uses> {
    let checked = |(principal, day, needed, terms): WrittenUse| {
        let is_sound =
            (0.0..=MOST).contains(&needed) && terms.len() <= MAX_TERMS && terms.is_sorted_by(|one, next| one < next);
        is_sound.then(|| Use { terms: terms.into(), principal, day, needed })
    };
    uses.into_iter().map(checked).collect::<Option<_>>().map(Uses)
}

fn make_directory(directory: &Path) -> io::Result<()> {
    if fs::exists(directory)? {
        return Ok(());
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// What to do with a file that is of no use.
const ANEW: &str = "move it away to begin anew";

fn unread(path: &Path, what: &str, remedy: &str) -> Error {
    let message = format!("read what was learned from {} (data.dir): {what}; {remedy}", path.display());
    Error::new(ErrorKind::Internal, message)
}
