//! Request state that shows when somebody changed it.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::reference::wire::{Fault, INVALID_PARAMS};

/// Goes into every seal. A real server would keep it secret and use an HMAC; every process of this fixture
/// has the same, since a modern client may come back to another one.
const KEY: &str = "testkit-upstream --conformance";

/// `memo` for the client to carry, good only for `subject`. It has characters that a careless relay spoils.
pub(super) fn seal(subject: &str, memo: &str) -> String {
    format!("{:016x}~é\"\\~{memo}", mark(subject, memo))
}

/// What was sealed.
pub(super) fn open(subject: &str, sealed: &str) -> Result<String, Fault> {
    let memo = sealed.splitn(3, '~').nth(2).unwrap_or_default();
    if sealed != seal(subject, memo) {
        return Err(Fault::of_tool(INVALID_PARAMS, "requestState is not as this server wrote it"));
    }
    Ok(memo.to_owned())
}

fn mark(subject: &str, memo: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (KEY, subject, memo).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_text_opens() {
        let sealed = seal("tool", r#"{"a":"~"}"#);
        assert_eq!(open("tool", &sealed).expect("as it was"), r#"{"a":"~"}"#);
        for (subject, text) in [
            ("tool", format!("{sealed}-TAMPERED")),
            ("tool", sealed.replace('é', "e")),
            ("tool", String::new()),
            ("other", sealed.clone()),
        ] {
            assert!(open(subject, &text).is_err(), "{subject} {text}");
        }
    }
}
