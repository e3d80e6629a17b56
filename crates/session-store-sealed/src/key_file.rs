//! A key in a file.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::Generate;
use gateway_core::{Error, ErrorKind, Result, Secret};

use crate::sealing_keys::no_randomness;

/// Larger than any spelling of a key.
const LARGEST: u64 = 1024;

/// The text of the file; what `generate` makes where there is no file.
pub(crate) fn load_or_create(path: &Path, generate: impl FnOnce() -> Result<Secret>) -> Result<Secret> {
    if let Some(text) = load(path)? {
        return Ok(text);
    }
    create(path, &generate()?)?;
    // Another process may have been faster: then its key is the one.
    load(path)?.ok_or_else(|| Error::new(ErrorKind::Unavailable, format!("{} went away", path.display())))
}

fn load(path: &Path) -> Result<Option<Secret>> {
    let cannot = |error| unusable("read the key file", path, error);
    let file = match File::open(path) {
        Ok(file) => file,
        // A link into nothing would only be found out when the key is created.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot(error)),
    };
    // Of the open file, so that nobody exchanges it in the meantime.
    let metadata = file.metadata().map_err(cannot)?;
    let refuse =
        |found: String| Err(Error::new(ErrorKind::InvalidRequest, format!("the key file {} {found}", path.display())));
    if !metadata.is_file() {
        return refuse("is not a file".to_owned());
    }
    if metadata.mode() & 0o077 != 0 {
        return refuse(format!(
            "may be read or changed by other users (mode {:o}): if none of them can have seen it, chmod 600 it",
            metadata.mode() & 0o777
        ));
    }
    if metadata.len() > LARGEST {
        return refuse(format!("has {} bytes, which is no key", metadata.len()));
    }
    let mut text = String::new();
    match file.take(LARGEST).read_to_string(&mut text) {
        Ok(_) => Ok(Some(Secret::new(text))),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => refuse("holds no text".to_owned()),
        Err(error) => Err(cannot(error)),
    }
}

/// Writes the whole file beside its place and then links it there, so that nobody reads half a key, and a key that
/// is there is never replaced.
fn create(path: &Path, key: &Secret) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| unusable("create the folder", folder, error))?;
    let beside = beside(path)?;
    let linked = write(&beside, key).and_then(|()| match fs::hard_link(&beside, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    });
    // Where it cannot be removed, it is for this user only, like the key.
    let _ = fs::remove_file(&beside);
    linked.and_then(|()| File::open(folder)?.sync_all()).map_err(|error| unusable("create the key file", path, error))
}

fn write(path: &Path, key: &Secret) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{}", key.expose())?;
    file.sync_all()
}

/// A name that no other process uses, nor one that crashed before.
fn beside(path: &Path) -> Result<PathBuf> {
    let random = <[u8; 8]>::try_generate().map_err(no_randomness)?;
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{:016x}.new", u64::from_be_bytes(random)));
    Ok(path.with_file_name(name))
}

fn unusable(doing: &str, path: &Path, error: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("cannot {doing} {}: {error}", path.display())).with_source(error)
}
