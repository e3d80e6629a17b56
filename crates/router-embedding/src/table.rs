//! The table of a static model: one row of numbers per token.
//!
//! Little-endian: 8 bytes `MCPEMB01`; the vocabulary's size V, the number of dimensions D and the length L of the
//! vocabulary's text, u32 each; the text, L bytes of UTF-8, V tokens parted by line feeds; the scales of the V rows,
//! f32 each; the rows, V times D signed bytes. A row's numbers are its bytes times its scale.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use gateway_core::{Error, ErrorKind, Result};

use crate::wordpiece::WordPiece;

const MAGIC: &[u8; 8] = b"MCPEMB01";

/// More than any model has; what is larger is no table.
const MAX_DIMENSIONS: usize = 4096;

/// Longest word that is looked up, in characters.
const MAX_WORD: usize = 64;

/// A table, read once and never changed.
pub(crate) struct Table {
    bytes: Cow<'static, [u8]>,
    vocabulary: WordPiece,
    scales: Box<[f32]>,
    rows: Range<usize>,
    dimensions: usize,
}

impl Table {
    /// Reads a table.
    ///
    /// # Errors
    /// `InvalidRequest` where `bytes` are none, or not all of one.
    pub(crate) fn new(bytes: Cow<'static, [u8]>) -> Result<Self> {
        let broken =
            |what: &str| Error::new(ErrorKind::InvalidRequest, format!("the table of vectors is broken: {what}"));
        let mut reader = Reader { bytes: &bytes, at: 0 };
        if reader.take(MAGIC.len()) != Some(&MAGIC[..]) {
            return Err(broken("it does not begin with MCPEMB01"));
        }
        let (Some(size), Some(dimensions), Some(length)) = (reader.number(), reader.number(), reader.number()) else {
            return Err(broken("it ends in its head"));
        };
        if dimensions == 0 || dimensions > MAX_DIMENSIONS {
            return Err(broken(&format!("it has {dimensions} dimensions, which must be 1 to {MAX_DIMENSIONS}")));
        }
        let text = reader.take(length).and_then(|text| std::str::from_utf8(text).ok());
        let text = text.ok_or_else(|| broken("its vocabulary is cut or not UTF-8"))?;
        let tokens = if size == 0 { 0 } else { text.split('\n').count() };
        if tokens != size {
            return Err(broken(&format!("its vocabulary has {tokens} tokens instead of {size}")));
        }
        let scales = size.checked_mul(4).and_then(|length| reader.take(length));
        let scales = scales.ok_or_else(|| broken("it ends in its scales"))?.as_chunks::<4>().0;
        let scales: Box<[f32]> = scales.iter().map(|scale| f32::from_le_bytes(*scale)).collect();
        if !scales.iter().all(|scale| scale.is_finite()) {
            return Err(broken("a scale is no number"));
        }
        let vocabulary = WordPiece::new(text.split('\n').take(size), MAX_WORD);
        let rows = reader.at..bytes.len();
        if size.checked_mul(dimensions) != Some(rows.len()) {
            return Err(broken("its rows are not as many as its tokens"));
        }
        Ok(Self { vocabulary, scales, rows, dimensions, bytes })
    }

    /// How many numbers a row has.
    pub(crate) fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// The tokens by which rows are found.
    pub(crate) fn vocabulary(&self) -> &WordPiece {
        &self.vocabulary
    }

    /// Adds the row of `token` to `sum`.
    pub(crate) fn add(&self, token: u32, sum: &mut [f32]) {
        let (scale, start) = (self.scales[token as usize], token as usize * self.dimensions);
        let row = &self.bytes[self.rows.clone()][start..start + self.dimensions];
        for (sum, value) in sum.iter_mut().zip(row) {
            *sum += scale * f32::from(value.cast_signed());
        }
    }

    /// All that there is, to tell one table from another.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("tokens", &self.scales.len())
            .field("dimensions", &self.dimensions)
            .finish_non_exhaustive()
    }
}

struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Reader<'b> {
    fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        Some(taken)
    }

    fn number(&mut self) -> Option<usize> {
        let bytes = self.take(4)?.first_chunk::<4>()?;
        usize::try_from(u32::from_le_bytes(*bytes)).ok()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A table in the format of the module's documentation.
    pub(crate) fn write(rows: &[(&str, f32, &[i8])]) -> Vec<u8> {
        let text = rows.iter().map(|row| row.0).collect::<Vec<_>>().join("\n");
        let dimensions = rows.first().map_or(1, |row| row.2.len());
        let mut bytes = MAGIC.to_vec();
        for number in [rows.len(), dimensions, text.len()] {
            bytes.extend(u32::try_from(number).expect("it is small").to_le_bytes());
        }
        bytes.extend(text.as_bytes());
        bytes.extend(rows.iter().flat_map(|row| row.1.to_le_bytes()));
        bytes.extend(rows.iter().flat_map(|row| row.2).map(|value| value.cast_unsigned()));
        bytes
    }

    #[test]
    fn reads_rows() {
        let bytes = write(&[("a", 0.5, &[2, -4]), ("##b", 2.0, &[127, -128])]);
        let table = Table::new(bytes.into()).expect("it is whole");
        let mut tokens = Vec::new();
        assert!(table.vocabulary().split("ab", &mut tokens));
        let mut sum = vec![1.0; table.dimensions()];
        for token in tokens {
            table.add(token, &mut sum);
        }
        assert_eq!(sum, [1.0 + 1.0 + 254.0, 1.0 - 2.0 - 256.0]);
        assert!(Table::new(write(&[]).into()).is_ok_and(|empty| !empty.vocabulary().split("a", &mut Vec::new())));
    }

    #[test]
    fn refuses_what_is_no_whole_table() {
        let whole = write(&[("a", 0.5, &[2, -4]), ("##b", 1.0, &[127, -128])]);
        for end in 0..whole.len() {
            assert!(Table::new(whole[..end].to_vec().into()).is_err(), "{end} bytes");
        }
        let changed = |at: usize, byte: u8| {
            let mut bytes = whole.clone();
            bytes[at] = byte;
            Table::new(bytes.into()).map(|_| ()).map_err(|error| error.message().to_owned())
        };
        // Another magic, vocabulary size, number of dimensions, length of text, a text that is none, a scale that is
        // no number.
        for (at, byte) in [(7, b'2'), (8, 3), (11, 255), (12, 1), (12, 0), (15, 255), (16, 4), (20, 255), (32, 0x7f)] {
            let refused = changed(at, byte).expect_err("it is broken");
            assert!(refused.starts_with("the table of vectors is broken: "), "{at}: {refused}");
        }
        assert_eq!(changed(20, b'x'), Ok(()));
    }
}
