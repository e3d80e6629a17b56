//! Keys, and what they do to a record.

use std::fmt;
use std::path::Path;

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use chacha20poly1305::aead::{Aead, Generate, Payload};
use chacha20poly1305::{Key, KeyInit, XChaCha20Poly1305, XNonce};
use gateway_core::{Error, ErrorKind, Result, Secret};

/// What every sealed record begins with: that it is sealed, and how.
const MARK: [u8; 5] = [0xE5, b's', b'e', b'a', 1];

/// Bytes of a nonce.
const NONCE: usize = 24;

/// How to make a key.
const REMEDY: &str = "make one with `openssl rand -hex 32`";

/// The keys that records are sealed with.
#[derive(Clone)]
pub struct SealingKeys {
    current: XChaCha20Poly1305,
    previous: Vec<XChaCha20Poly1305>,
}

/// What a sealed record turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    /// It says this, and was sealed with the current key.
    Current(Bytes),
    /// It says this, and was sealed with a previous key.
    Previous(Bytes),
    /// It was not sealed with any of these keys, or changed since.
    Foreign,
    /// It was never sealed.
    Unsealed,
}

impl SealingKeys {
    /// The current key seals and opens; previous ones only open, so that a key can be replaced. A key is 32 bytes,
    /// written as 64 hexadecimal digits or in base64.
    ///
    /// To replace the key of several gateways that share a store: first give the new key to all of them as a previous
    /// one, then make it the current one and keep the old one as a previous one for as long as
    /// records live.
    ///
    /// # Errors
    /// [`InvalidRequest`](ErrorKind::InvalidRequest) where one is not a key; what it says is not repeated.
    pub fn parse(current: &Secret, previous: &[Secret]) -> Result<Self> {
        let cipher = |name: &str, text: &Secret| {
            let bytes = key_bytes(text.expose()).map_err(|wrong| {
                Error::new(ErrorKind::InvalidRequest, format!("the encryption key{name} {wrong}: {REMEDY}"))
            })?;
            Ok(XChaCha20Poly1305::new(&Key::from(bytes)))
        };
        let previous = (1..).zip(previous).map(|(number, text)| cipher(&format!(" (previous key {number})"), text));
        Ok(Self { current: cipher("", current)?, previous: previous.collect::<Result<_>>()? })
    }

    /// A new random key, as 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable) where the operating system has no randomness.
    pub fn generate() -> Result<Secret> {
        let key = Key::try_generate().map_err(no_randomness)?;
        Ok(Secret::new(key.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
    }

    /// The key in this file, which is made, with a random key and for this user only, where there is none.
    ///
    /// # Errors
    /// [`InvalidRequest`](ErrorKind::InvalidRequest) where the file holds no key, or others may read or change it;
    /// [`Unavailable`](ErrorKind::Unavailable) where it cannot be made or read.
    pub fn load_or_create(path: &Path) -> Result<Self> {
        let text = crate::key_file::load_or_create(path, Self::generate)?;
        Self::parse(&text, &[]).map_err(|error| {
            let message = format!("{} holds no key: {}", path.display(), error.message());
            Error::new(ErrorKind::InvalidRequest, message)
        })
    }

    pub(crate) fn seal(&self, id: &str, data: &[u8]) -> Result<Bytes> {
        let nonce = XNonce::try_generate().map_err(no_randomness)?;
        let aad = bound_to(id);
        let sealed = self
            .current
            .encrypt(&nonce, Payload { msg: data, aad: &aad })
            .map_err(|_| Error::new(ErrorKind::Internal, "cannot encrypt a record"))?;
        Ok([MARK.as_slice(), &nonce, &sealed].concat().into())
    }

    pub(crate) fn open(&self, id: &str, sealed: &[u8]) -> Opened {
        let Some(rest) = sealed.strip_prefix(&MARK) else { return Opened::Unsealed };
        let Some((nonce, sealed)) = rest.split_first_chunk::<NONCE>() else { return Opened::Foreign };
        let (nonce, aad) = (XNonce::from(*nonce), bound_to(id));
        let open =
            |key: &XChaCha20Poly1305| key.decrypt(&nonce, Payload { msg: sealed, aad: &aad }).ok().map(Bytes::from);
        if let Some(data) = open(&self.current) {
            return Opened::Current(data);
        }
        self.previous.iter().find_map(open).map_or(Opened::Foreign, Opened::Previous)
    }
}

impl fmt::Debug for SealingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealingKeys").field("previous", &self.previous.len()).finish_non_exhaustive()
    }
}

/// What is sealed with the data without being in it.
fn bound_to(id: &str) -> Vec<u8> {
    [MARK.as_slice(), id.as_bytes()].concat()
}

/// The bytes of a key, or what is wrong with it.
fn key_bytes(text: &str) -> Result<[u8; 32], String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    let bytes = if text.len() == 64 { hex(text) } else { base64(text) };
    let bytes = bytes.ok_or_else(|| {
        format!("is neither 64 hexadecimal digits nor 32 bytes in base64 (it has {} characters)", text.chars().count())
    })?;
    let length = bytes.len();
    let bytes: [u8; 32] = bytes.try_into().map_err(|_| format!("has {length} bytes, not 32"))?;
    if bytes.iter().all(|byte| *byte == bytes[0]) {
        return Err("is one byte again and again, which anybody can guess".to_owned());
    }
    Ok(bytes)
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    text.as_bytes().chunks(2).map(|pair| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?)).collect()
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    [STANDARD, URL_SAFE].iter().find_map(|alphabet| GeneralPurpose::new(alphabet, config).decode(text).ok())
}

pub(crate) fn no_randomness(error: impl fmt::Display) -> Error {
    Error::new(ErrorKind::Unavailable, format!("the operating system has no random numbers: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(current: &str, previous: &[&str]) -> SealingKeys {
        let previous: Vec<_> = previous.iter().map(|key| Secret::new(*key)).collect();
        SealingKeys::parse(&Secret::new(current), &previous).expect("keys")
    }

    const A: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const B: &str = "f00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    #[test]
    fn one_key_in_all_its_spellings() {
        let sealed = keys(A, &[]).seal("id", b"data").expect("sealed");
        for spelling in [
            A.to_uppercase(),
            format!("  {A}\n"),
            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".to_owned(),
            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8".to_owned(),
        ] {
            assert_eq!(keys(&spelling, &[]).open("id", &sealed), Opened::Current("data".into()), "{spelling}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_repeated() {
        for (text, words) in [
            ("", "is empty"),
            (" \n", "is empty"),
            ("hunter2hunter2!", "has 15 characters"),
            (&A[..62], "has 62 characters"),
            (&format!("{}g", &A[..63]), "64 hexadecimal digits"),
            ("c2hvcnQ=", "has 5 bytes, not 32"),
            (&"0".repeat(64), "anybody can guess"),
            (&"ä".repeat(32), "64 hexadecimal digits"),
        ] {
            let error = SealingKeys::parse(&Secret::new(text), &[]).expect_err("no key");
            assert_eq!(error.kind(), ErrorKind::InvalidRequest);
            assert!(error.message().contains(words) && error.message().contains(REMEDY), "{error}");
            assert!(text.trim().is_empty() || !error.message().contains(text.trim()), "{error}");
            let error = SealingKeys::parse(&Secret::new(A), &[Secret::new(B), Secret::new(text)]).expect_err("no key");
            assert!(error.message().contains("previous key 2"), "{error}");
        }
    }

    #[test]
    fn previous_keys_open_and_the_current_one_seals() {
        let old = keys(A, &[]).seal("id", b"data").expect("sealed");
        let both = keys(B, &[A]);
        assert_eq!(both.open("id", &old), Opened::Previous("data".into()));
        let new = both.seal("id", b"data").expect("sealed");
        assert_eq!(both.open("id", &new), Opened::Current("data".into()));
        assert_eq!(keys(A, &[]).open("id", &new), Opened::Foreign);
        assert_eq!(keys(B, &[]).open("id", &old), Opened::Foreign);
    }

    #[test]
    fn a_changed_bit_or_another_id_is_foreign_and_a_missing_mark_unsealed() {
        let keys = keys(A, &[]);
        let sealed = keys.seal("sess_1", b"data").expect("sealed");
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.to_vec();
            changed[bit / 8] ^= 1 << (bit % 8);
            let expected = if bit / 8 < MARK.len() { Opened::Unsealed } else { Opened::Foreign };
            assert_eq!(keys.open("sess_1", &changed), expected, "bit {bit}");
        }
        for length in MARK.len()..sealed.len() {
            assert_eq!(keys.open("sess_1", &sealed[..length]), Opened::Foreign, "{length} bytes");
        }
        assert_eq!(keys.open("sess_2", &sealed), Opened::Foreign);
        assert_eq!(keys.open("sess_1", b"{}"), Opened::Unsealed);
    }

    #[test]
    fn the_same_data_is_sealed_differently_each_time() {
        let keys = keys(A, &[]);
        assert_ne!(keys.seal("id", b"data").expect("sealed"), keys.seal("id", b"data").expect("sealed"));
        assert_ne!(SealingKeys::generate().expect("a key"), SealingKeys::generate().expect("a key"));
    }

    #[test]
    fn a_generated_key_is_a_key_and_debug_shows_none() {
        let key = SealingKeys::generate().expect("a key");
        assert_eq!(key.expose().len(), 64);
        let shown = format!("{:?}", SealingKeys::parse(&key, &[]).expect("a key"));
        assert_eq!(shown, "SealingKeys { previous: 0, .. }");
    }
}
