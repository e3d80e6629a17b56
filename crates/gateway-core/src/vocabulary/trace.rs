//! Where a request stands in a distributed trace.

/// The place of a request in a trace, as W3C Trace Context writes it
/// (<https://www.w3.org/TR/trace-context/>; in MCP's `_meta` by SEP-414).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    traceparent: String,
    tracestate: Option<String>,
}

/// Longest `tracestate` that is passed on, in bytes. The specification asks for 512 at least.
const MAX_STATE: usize = 1024;

impl TraceContext {
    /// The context of two header values; `None` where `traceparent` has not its form. A `tracestate` that is too long
    /// or not printable is left out.
    pub fn parse(traceparent: &str, tracestate: Option<&str>) -> Option<Self> {
        let traceparent = traceparent.trim();
        let mut parts = traceparent.split('-');
        let is_hex = |part: &str, digits: usize| {
            part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        };
        let is_some = |part: &str, digits: usize| is_hex(part, digits) && part.bytes().any(|byte| byte != b'0');
        let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let known = is_hex(version, 2) && version != "ff" && (version != "00" || parts.next().is_none());
        if !known || !is_some(trace, 32) || !is_some(parent, 16) || !is_hex(flags, 2) || traceparent.len() > 128 {
            return None;
        }
        let printable = |state: &&str| {
            !state.is_empty() && state.len() <= MAX_STATE && state.bytes().all(|byte| (0x20..0x7f).contains(&byte))
        };
        let tracestate = tracestate.map(str::trim).filter(printable).map(str::to_owned);
        Some(Self { traceparent: traceparent.to_owned(), tracestate })
    }

    /// `traceparent`: `00-<trace>-<parent>-<flags>`.
    pub fn traceparent(&self) -> &str {
        &self.traceparent
    }

    /// `tracestate`, where there is one.
    pub fn tracestate(&self) -> Option<&str> {
        self.tracestate.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_the_form_is_taken() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let context = TraceContext::parse(good, Some("vendor=1")).expect("has the form");
        assert_eq!((context.traceparent(), context.tracestate()), (good, Some("vendor=1")));
        assert_eq!(TraceContext::parse(good, Some("a\nb")).expect("has the form").tracestate(), None);
        let later = "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes-later";
        assert!(TraceContext::parse(later, None).is_some(), "a later version may have more");
        for bad in [
            "",
            "00",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
        ] {
            assert!(TraceContext::parse(bad, None).is_none(), "{bad}");
        }
    }
}
