//! How deep a JSON text is nested, found without parsing it.

/// Whether arrays and objects in `text` are nested deeper than `limit`. One pass; what is no JSON gets
/// some answer, since a parser refuses it afterwards.
///
/// serde_json counts depth only where it builds values. What is kept raw passes it at any depth, and would
/// only break the parser of the server that it is sent to.
pub fn nests_deeper(text: &[u8], limit: usize) -> bool {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        at += 1;
        match byte {
            b'"' => at += string_length(&text[at..]),
            b'[' | b'{' => {
                depth += 1;
                if depth > limit {
                    return true;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// How many bytes of `text` belong to a string whose opening quote has been read, closing quote included.
fn string_length(text: &[u8]) -> usize {
    let mut at = 0;
    while let Some(found) = memchr::memchr2(b'"', b'\\', text.get(at..).unwrap_or_default()) {
        at += found + 1;
        if text[at - 1] == b'"' {
            return at;
        }
        at += 1;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_arrays_and_objects_but_not_those_in_strings() {
        let check = |text: &str, depth: usize| {
            assert!(!nests_deeper(text.as_bytes(), depth), "{text} has at most {depth}");
            if depth > 0 {
                assert!(nests_deeper(text.as_bytes(), depth - 1), "{text} has more than {}", depth - 1);
            }
        };
        check("1", 0);
        check("{}", 1);
        check(r#"{"a":[1,{"b":[]}],"c":{}}"#, 4);
        check(r#"["[[[[", "{\"[[", "\\", [1]]"#, 2);
        check(r#"["\\\"[[[["]"#, 1);
        check("[[],[],[],[]]", 2);
        check(&format!("{}{}", "[".repeat(100), "]".repeat(100)), 100);
    }

    #[test]
    fn survives_what_is_no_json() {
        for text in ["\"", "\"\\", "]]]]", "[\"abc", "", "\\\"["] {
            nests_deeper(text.as_bytes(), 1);
        }
    }
}
