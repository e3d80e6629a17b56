//! Whether a URI may come from a URI template (RFC 6570): enough to know whose it is.

/// Whether `uri` has the fixed parts of `template` in their order, with something where the expressions are.
pub(super) fn matches(template: &str, uri: &str) -> bool {
    let Some((head, mut rest)) = template.split_once('{') else { return template == uri };
    let Some(mut uri) = uri.strip_prefix(head) else { return false };
    loop {
        // A template without its closing brace is none.
        let Some((_, after)) = rest.split_once('}') else { return false };
        let Some((fixed, next)) = after.split_once('{') else { return uri.ends_with(after) };
        // The first place will do: an expression takes whatever lies between.
        let Some(found) = uri.find(fixed) else { return false };
        uri = &uri[found + fixed.len()..];
        rest = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_parts_decide() {
        let check = |template: &str, uri: &str, expected: bool| {
            assert_eq!(matches(template, uri), expected, "{template} {uri}");
        };
        check("a://b", "a://b", true);
        check("a://b", "a://bc", false);
        check("a://{x}/data", "a://1/data", true);
        check("a://{x}/data", "a://1/date", false);
        check("a://{x}/{y}/z{?q}", "a://1/2/z?q=3", true);
        check("{+any}", "x:y", true);
        check("a://{x", "a://1", false);
        check("b://{x}", "a://1", false);
    }
}
