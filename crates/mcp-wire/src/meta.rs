//! Putting `_meta` members into raw params without building a tree.

use std::borrow::Cow;

use gateway_core::{Era, Listener, RawJson, TraceContext};

use crate::object::{Member, may_have, members};
use crate::write::{write_number, write_string};

const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

/// Members for a request's `_meta`. They win over members of the same name that are there already;
/// everything else is kept byte for byte.
#[derive(Clone, Debug, Default)]
pub struct Meta {
    /// `"name":value,"name":value`
    text: Vec<u8>,
    names: Vec<&'static str>,
}

impl Meta {
    /// With one more member. `value` is JSON text.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &RawJson) -> Self {
        self.begin(name);
        self.text.extend_from_slice(value.as_bytes());
        self
    }

    /// With `progressToken`, so that the server reports progress under this number.
    #[must_use]
    pub fn with_progress_token(mut self, token: i64) -> Self {
        self.begin("progressToken");
        write_number(&mut self.text, token);
        self
    }

    /// With a place in a trace (SEP-414: the one exception to the prefixes of names). A `tracestate` that is there
    /// already belongs to the `traceparent` that ours replaces.
    #[must_use]
    pub fn with_trace(mut self, trace: &TraceContext) -> Self {
        self.begin("traceparent");
        write_string(&mut self.text, trace.traceparent());
        match trace.tracestate() {
            Some(state) => {
                self.begin("tracestate");
                write_string(&mut self.text, state);
            }
            None => self.names.push("tracestate"),
        }
        self
    }

    /// What one request carries beside `self`, which every request of its connection carries: its id as
    /// progress token where `listener` wants progress, and, for a modern server, what the client of
    /// `listener` can do (of nobody, nothing). And its place in a trace, where it has one.
    pub fn for_request(
        &self,
        era: Era,
        id: i64,
        listener: Option<&Listener>,
        trace: Option<&TraceContext>,
    ) -> Cow<'_, Self> {
        let mut meta = Cow::Borrowed(self);
        if era == Era::Modern {
            let client = listener.and_then(Listener::client);
            let capabilities = client.map_or_else(RawJson::empty_object, |client| client.capabilities().clone());
            meta = Cow::Owned(meta.into_owned().with(CLIENT_CAPABILITIES, &capabilities));
        }
        if listener.is_some_and(Listener::wants_progress) {
            meta = Cow::Owned(meta.into_owned().with_progress_token(id));
        }
        if let Some(trace) = trace {
            meta = Cow::Owned(meta.into_owned().with_trace(trace));
        }
        meta
    }

    /// Whether there is nothing to put in.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Length of the members' text, in bytes.
    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    /// Appends `params` with these members in its `_meta`. Params that are no object, which no method
    /// of MCP has, are written as they are.
    pub fn write_params(&self, out: &mut Vec<u8>, params: &RawJson) {
        let text = params.as_str();
        if self.is_empty() || !params.is_object() {
            return out.extend_from_slice(text.as_bytes());
        }
        let found = if may_have(text.as_bytes(), "_meta") { members(text) } else { Vec::new() };
        let mut metas = found.iter().filter(|member| member.name == "_meta");
        let Some(meta) = metas.next_back() else {
            return self.write_first(out, text);
        };
        if metas.next().is_some() {
            return self.write_without_repeats(out, text, &found);
        }
        out.extend_from_slice(&text.as_bytes()[..meta.value.start]);
        self.write_merged(out, &text[meta.value.clone()]);
        out.extend_from_slice(&text.as_bytes()[meta.value.end..]);
    }

    fn begin(&mut self, name: &'static str) {
        if !self.text.is_empty() {
            self.text.push(b',');
        }
        self.names.push(name);
        write_string(&mut self.text, name);
        self.text.push(b':');
    }

    /// Writes an object that has no `_meta` with ours as its first member.
    fn write_first(&self, out: &mut Vec<u8>, text: &str) {
        out.extend_from_slice(br#"{"_meta":{"#);
        out.extend_from_slice(&self.text);
        out.push(b'}');
        let rest = &text[1..];
        if !rest.trim_start().starts_with('}') {
            out.push(b',');
        }
        out.extend_from_slice(rest.as_bytes());
    }

    /// Writes an object that repeats `_meta`: the last one counts, as for most readers of JSON. Left
    /// in, a repeat could hide ours.
    fn write_without_repeats(&self, out: &mut Vec<u8>, text: &str, found: &[Member]) {
        let is_meta = |member: &&Member| member.name == "_meta";
        let last = found.iter().rfind(is_meta).map_or("{}", |meta| &text[meta.value.clone()]);
        out.extend_from_slice(br#"{"_meta":"#);
        self.write_merged(out, last);
        for member in found.iter().filter(|member| !is_meta(member)) {
            out.push(b',');
            member.write(out, text);
        }
        out.push(b'}');
    }

    /// Writes the `_meta` value `old` with our members in it.
    fn write_merged(&self, out: &mut Vec<u8>, old: &str) {
        out.push(b'{');
        out.extend_from_slice(&self.text);
        if old.starts_with('{') {
            for member in members(old) {
                if !self.names.contains(&member.name.as_str()) {
                    out.push(b',');
                    member.write(out, old);
                }
            }
        }
        out.push(b'}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> RawJson {
        RawJson::parse(text.to_owned()).expect("valid JSON")
    }

    fn check_with(meta: &Meta, params: &str, expected: &str) {
        let mut out = Vec::new();
        meta.write_params(&mut out, &raw(params));
        assert_eq!(String::from_utf8(out).expect("text"), expected, "{params}");
        raw(expected);
    }

    #[test]
    fn members_are_put_in_and_the_rest_is_kept() {
        let meta = Meta::default().with("x/v", &raw("\"1\"")).with_progress_token(9);
        let ours = r#""x/v":"1","progressToken":9"#;
        let check = |params: &str, expected: &str| {
            check_with(&meta, params, &expected.replace("OURS", ours));
        };
        check("{}", r#"{"_meta":{OURS}}"#);
        check("{ \n}", "{\"_meta\":{OURS} \n}");
        check(r#"{"a": 1.50e1}"#, r#"{"_meta":{OURS},"a": 1.50e1}"#);
        check(r#"{"a":{"_meta":{"b":1}}}"#, r#"{"_meta":{OURS},"a":{"_meta":{"b":1}}}"#);
        check(r#"{"a":"\"_meta\"","b":"\u0001"}"#, r#"{"_meta":{OURS},"a":"\"_meta\"","b":"\u0001"}"#);
        check(
            r#"{"a":1 , "_meta" : { "b" : 1.0, "progressToken":"theirs", "c":{} } , "d":2}"#,
            r#"{"a":1 , "_meta" : {OURS,"b":1.0,"c":{}} , "d":2}"#,
        );
        check(r#"{"_meta":{}}"#, r#"{"_meta":{OURS}}"#);
        check(r#"{"_meta":null}"#, r#"{"_meta":{OURS}}"#);
        check("[1]", "[1]");
    }

    #[test]
    fn a_place_in_a_trace_replaces_the_callers_own_and_nothing_else() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let place = |state| TraceContext::parse(parent, state).expect("has the form");
        let theirs = r#"{"_meta":{"a":1.0,"traceparent":"old","tracestate":"old=1","baggage":"b=c"},"name":"t"}"#;
        let meta = Meta::default().with_trace(&place(Some("v=1")));
        let expected = format!(
            r#"{{"_meta":{{"traceparent":"{parent}","tracestate":"v=1","a":1.0,"baggage":"b=c"}},"name":"t"}}"#
        );
        check_with(&meta, theirs, &expected);
        let meta = Meta::default().with_trace(&place(None));
        let expected = format!(r#"{{"_meta":{{"traceparent":"{parent}","a":1.0,"baggage":"b=c"}},"name":"t"}}"#);
        check_with(&meta, theirs, &expected);
        let none = Meta::default();
        let of = |trace: Option<&TraceContext>| none.for_request(Era::Legacy, 1, None, trace).is_empty();
        assert!(of(None) && !of(Some(&place(None))));
    }

    #[test]
    fn an_escaped_or_repeated_name_does_not_hide_ours() {
        let meta = Meta::default().with_progress_token(9);
        check_with(&meta, r#"{"\u005fmeta":{"progress\u0054oken":1}}"#, r#"{"\u005fmeta":{"progressToken":9}}"#);
        check_with(
            &meta,
            r#"{"_meta":{"a":1},"b":2.0,"_meta":{"progressToken":1,"c":3}}"#,
            r#"{"_meta":{"progressToken":9,"c":3},"b":2.0}"#,
        );
    }

    #[test]
    fn nothing_to_put_in_changes_nothing() {
        check_with(&Meta::default(), r#"{"_meta": {"a":1} }"#, r#"{"_meta": {"a":1} }"#);
    }
}
