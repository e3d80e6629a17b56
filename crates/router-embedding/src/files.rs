//! Rows in files, one file per server and model.
//!
//! Little-endian: 8 bytes `MCPVEC01`; the number of rows and of dimensions, u32 each; each row's key, its scale (f32)
//! and its bytes; the SHA-256 of all that. A text without a vector has the scale 0.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::matrix::Row;
use crate::store::Key;

const MAGIC: &[u8; 8] = b"MCPVEC01";

/// How a file's name ends.
const EXTENSION: &str = "vectors";

/// More than any server's tools take; a larger file is none of ours.
const MAX_FILE: u64 = 256 * 1024 * 1024;

/// How many files are kept.
const MAX_FILES: usize = 4_000;

/// A folder of such files.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    folder: PathBuf,
}

impl Files {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The rows of the file `name`; none where there is no such file, or it is broken.
    pub(crate) fn read(&self, name: Key) -> Vec<(Key, Row)> {
        let path = self.path(name);
        let read = fs::File::open(&path).and_then(|file| {
            let mut bytes = Vec::new();
            file.take(MAX_FILE).read_to_end(&mut bytes)?;
            Ok(bytes)
        });
        match read {
            Ok(bytes) => decode(&bytes).unwrap_or_else(|| {
                tracing::warn!(path = %path.display(), "a file of kept vectors is broken, and is not used");
                Vec::new()
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "a file of kept vectors cannot be read");
                Vec::new()
            }
        }
    }

    /// Writes the file `name`: wholly, or not at all.
    pub(crate) fn write(&self, name: Key, rows: &[(Key, Arc<Row>)]) {
        if let Err(error) = self.try_write(&self.path(name), &encode(rows)) {
            tracing::warn!(folder = %self.folder.display(), %error, "vectors cannot be kept in files");
        }
    }

    fn try_write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        // Beside the file that it becomes, since a rename does not leave a file system.
        let mut file = NamedTempFile::new_in(&self.folder)?;
        file.write_all(bytes)?;
        file.persist(path).map_err(|error| error.error)?;
        self.remove_oldest()
    }

    fn remove_oldest(&self) -> io::Result<()> {
        let mut files: Vec<(SystemTime, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let path = entry.path();
            if path.extension().is_some_and(|extension| extension == EXTENSION) {
                files.push((entry.metadata()?.modified()?, path));
            }
        }
        files.sort_unstable();
        let surplus = files.len().saturating_sub(MAX_FILES);
        files.iter().take(surplus).try_for_each(|(_, path)| fs::remove_file(path))
    }

    fn path(&self, name: Key) -> PathBuf {
        let name: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
        self.folder.join(name).with_extension(EXTENSION)
    }
}

fn encode(rows: &[(Key, Arc<Row>)]) -> Vec<u8> {
    let dimensions = rows.iter().map(|(_, row)| row.values.len()).max().unwrap_or(0);
    let mut bytes = MAGIC.to_vec();
    for number in [rows.len(), dimensions] {
        bytes.extend((number as u32).to_le_bytes());
    }
    for (key, row) in rows {
        bytes.extend(key);
        bytes.extend(row.scale.to_le_bytes());
        bytes.extend(row.values.iter().map(|value| value.cast_unsigned()));
        bytes.resize(bytes.len() + dimensions - row.values.len(), 0);
    }
    let digest = Sha256::digest(&bytes);
    bytes.extend(digest);
    bytes
}

fn decode(bytes: &[u8]) -> Option<Vec<(Key, Row)>> {
    let (content, digest) = bytes.split_last_chunk::<32>()?;
    if Sha256::digest(content)[..] != digest[..] {
        return None;
    }
    let rest = content.strip_prefix(MAGIC)?;
    let (count, rest) = rest.split_first_chunk::<4>()?;
    let (dimensions, rest) = rest.split_first_chunk::<4>()?;
    let (count, dimensions) = (u32::from_le_bytes(*count) as usize, u32::from_le_bytes(*dimensions) as usize);
    let length = size_of::<Key>() + size_of::<f32>() + dimensions;
    if count.checked_mul(length) != Some(rest.len()) {
        return None;
    }
    rest.chunks_exact(length).map(decode_row).collect()
}

fn decode_row(bytes: &[u8]) -> Option<(Key, Row)> {
    let (key, rest) = bytes.split_first_chunk::<16>()?;
    let (scale, values) = rest.split_first_chunk::<4>()?;
    let scale = f32::from_le_bytes(*scale);
    let values = if scale == 0.0 { &[] } else { values };
    let row = Row { values: values.iter().map(|value| value.cast_signed()).collect(), scale };
    scale.is_finite().then_some((*key, row))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::Vector;

    fn rows() -> Vec<(Key, Arc<Row>)> {
        let vector = Vector::new(vec![0.6, -0.8, 0.0]);
        vec![([1; 16], Arc::new(Row::new(vector.as_ref()))), ([2; 16], Arc::new(Row::new(None)))]
    }

    fn plain(rows: &[(Key, Arc<Row>)]) -> Vec<(Key, Row)> {
        rows.iter().map(|(key, row)| (*key, Row::clone(row))).collect()
    }

    #[test]
    fn what_was_written_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = Files::new(folder.path().join("a/b"));
        assert_eq!(files.read([7; 16]), []);
        files.write([7; 16], &rows());
        assert_eq!(files.read([7; 16]), plain(&rows()));
        assert_eq!(files.read([8; 16]), []);
        files.write([7; 16], &rows()[1..]);
        assert_eq!(files.read([7; 16]), plain(&rows()[1..]));
        files.write([7; 16], &[]);
        assert_eq!(files.read([7; 16]), []);
        assert_eq!(fs::read_dir(folder.path().join("a/b")).expect("a folder").count(), 1);
    }

    #[test]
    fn broken_files_are_none() {
        let whole = encode(&rows());
        assert!(decode(&whole).is_some());
        for end in 0..whole.len() {
            assert_eq!(decode(&whole[..end]), None, "{end} bytes");
            let mut changed = whole.clone();
            changed[end] ^= 1;
            assert_eq!(decode(&changed), None, "byte {end}");
        }
        let sealed = |content: &[u8]| [content, &Sha256::digest(content)[..]].concat();
        let huge = [&MAGIC[..], &[0xff; 8]].concat();
        assert_eq!(decode(&sealed(&huge)), None);
    }

    #[test]
    fn a_folder_that_cannot_be_is_no_panic() {
        let file = NamedTempFile::new().expect("a file");
        let files = Files::new(file.path().join("below"));
        files.write([7; 16], &rows());
        assert_eq!(files.read([7; 16]), []);
    }
}
