//! Cases as data: a list's text and what comes of it.

use super::*;

fn environment(name: &str) -> Option<String> {
    match name {
        "TOKEN" => Some("hush-hush".to_owned()),
        "HOST" => Some("example.com".to_owned()),
        "BREAK" => Some("a\r\nEvil: 1".to_owned()),
        _ => None,
    }
}

/// The entries of `{"mcpServers": {INNER}}`.
fn entries(inner: &str) -> Vec<ParsedEntry> {
    parse(&format!(r#"{{"mcpServers": {{{inner}}}}}"#), &environment).expect("a list")
}

/// The one entry `x` with the given fields.
fn one(fields: &str) -> ParsedEntry {
    entries(&format!(r#""x": {{{fields}}}"#)).pop().expect("one entry")
}

fn command(spec: &ServerSpec) -> &Command {
    match spec.endpoint() {
        Endpoint::Command(command) => command,
        Endpoint::Url(url) => panic!("a command was expected: {url:?}"),
    }
}

fn url(spec: &ServerSpec) -> &Url {
    match spec.endpoint() {
        Endpoint::Url(url) => url,
        Endpoint::Command(command) => panic!("a URL was expected: {command:?}"),
    }
}

#[test]
fn reads_a_command() {
    let spec = one(
        r#""command": "npx", "args": ["-y", "pkg@1", 3000, true], "env": {"K": "${TOKEN}", "PORT": 80, "NO": null},
           "cwd": "/srv/${HOST}", "cleanEnv": true, "shared": true, "timeout": 5000, "connect_timeout_ms": 1,
           "maxRequestTimeoutMs": 7000,
           "idleTimeoutMs": 0, "max_concurrency": 4, "max_message_bytes": 2048"#,
    )
    .expect("valid");
    let command = command(&spec);
    assert_eq!((spec.transport(), command.program.as_str()), ("stdio", "npx"));
    assert_eq!(command.args, ["-y", "pkg@1", "3000", "true"]);
    assert_eq!(command.env["K"].expose(), "hush-hush");
    assert_eq!(command.env["PORT"].expose(), "80");
    assert_eq!(command.env.len(), 2);
    assert_eq!(command.cwd.as_deref(), Some(std::path::Path::new("/srv/example.com")));
    assert!(command.clean_env && spec.shared() && !spec.disabled());
    let limits = ServerLimits {
        connect_timeout_ms: 1,
        request_timeout_ms: 5000,
        max_request_timeout_ms: 7000,
        idle_timeout_ms: 0,
        max_concurrency: 4,
        max_message_bytes: 2048,
    };
    assert_eq!(*spec.limits(), limits);
}

#[test]
fn reads_a_url() {
    let spec = one(r#""url": " https://${HOST}/mcp ", "headers": {"Authorization": "Bearer ${TOKEN} "}"#);
    let spec = spec.expect("valid");
    assert_eq!((spec.transport(), url(&spec).url.as_str()), ("http", "https://example.com/mcp"));
    assert_eq!(url(&spec).headers["Authorization"].expose(), "Bearer hush-hush");
}

#[test]
fn knows_where_a_server_is() {
    let check = |fields: &str, transport: &str, place: &str| {
        let spec = one(fields).unwrap_or_else(|error| panic!("{fields}: {error}"));
        let found = match spec.endpoint() {
            Endpoint::Command(command) => &command.program,
            Endpoint::Url(url) => &url.url,
        };
        assert_eq!((spec.transport(), found.as_str()), (transport, place), "{fields}");
    };
    check(r#""command": "a""#, "stdio", "a");
    check(r#""url": "http://h""#, "http", "http://h");
    check(r#""serverUrl": "http://h""#, "http", "http://h");
    check(r#""httpUrl": "http://h""#, "http", "http://h");
    check(r#""type": "sse", "url": "http://h""#, "sse", "http://h");
    check(r#""transport": "SSE", "url": "http://h""#, "sse", "http://h");
    check(r#""type": "streamableHttp", "url": "http://h""#, "http", "http://h");
    check(r#""type": "streamable-http", "url": "http://h""#, "http", "http://h");
    check(r#""transport": "websocket", "url": "http://h""#, "websocket", "http://h");
    check(r#""transport": "stdio", "command": "a", "url": "http://h""#, "stdio", "a");
    check(r#""transport": "http", "command": "a", "url": "http://h""#, "http", "http://h");
    let args = r#""command": "npx", "args": ["mcp-remote", "http://old", "HTTPS://h/mcp", "--x"]"#;
    check(&format!(r#"{args}, "transport": "sse""#), "sse", "HTTPS://h/mcp");
    check(args, "stdio", "npx");
    check(r#""command": "a", "url": null, "transport": null, "args": null"#, "stdio", "a");
}

#[test]
fn passes_over_what_other_clients_write() {
    let spec = one(
        r#""command": "a", "alwaysAllow": ["x"], "autoApprove": [], "description": "d", "icon": {"a": [1]}, "fromGalleryId": 3"#,
    );
    assert!(spec.is_ok());
}

#[test]
fn switched_off_servers_need_no_variables() {
    for fields in [
        r#""command": "${NONE}", "env": {"K": "${NONE}"}, "disabled": true"#,
        r#""url": "${NONE}/mcp", "enabled": false"#,
    ] {
        assert!(one(fields).expect("valid").disabled(), "{fields}");
    }
    assert!(!one(r#""command": "a", "enabled": true, "disabled": false"#).expect("valid").disabled());
    assert!(one(r#""url": "nonsense", "disabled": true"#).is_err());
}

#[test]
fn says_what_is_wrong_with_an_entry() {
    let check = |fields: &str, expected: &[&str]| {
        let error = one(fields).expect_err(fields);
        assert_eq!(error.name, "x");
        for part in expected {
            assert!(error.to_string().contains(part), "{fields}: {error}");
        }
        assert!(!error.to_string().contains("hush"), "{fields}: {error}");
    };
    check("", &["server \"x\"", "neither \"command\" nor \"url\""]);
    check(r#""command": "a", "url": "http://h""#, &["both \"command\" and \"url\"", "remove one"]);
    check(r#""command": " ""#, &["command \" \" is empty"]);
    check(r#""command": ["a"]"#, &["command must be a text, not an array"]);
    check(r#""command": 5"#, &["command must be a text, not a number"]);
    check(r#""command": "a", "args": "-y""#, &["args must be an array of texts, not a text"]);
    check(r#""command": "a", "args": ["x", {"hush": 1}]"#, &["args[1] must be a text, not an object"]);
    check(r#""command": "a", "args": ["hush\u0000"]"#, &["args[0] has a NUL character"]);
    check(r#""command": "a\u0000""#, &["command has a NUL character"]);
    check(r#""command": "a", "args": ["\ud800"]"#, &["args[0] must be a text"]);
    check(r#""command": "a", "env": ["hush"]"#, &["env must be an object of texts, not an array"]);
    check(r#""command": "a", "env": {"K": ["hush"]}"#, &["env.K must be a text, not an array"]);
    check(r#""command": "a", "env": {"A=B": "hush"}"#, &["variable name \"A=B\""]);
    check(r#""command": "a", "env": {"": "hush"}"#, &["variable name \"\""]);
    check(r#""command": "a", "env": {"A": "hush", "A": "2"}"#, &["env.A is there twice"]);
    check(r#""command": "a", "env": {"A": "hush${NONE}"}"#, &["env.A uses ${NONE}", "NONE is not set"]);
    check(r#""command": "a", "cwd": """#, &["cwd is empty"]);
    check(r#""command": "a", "disabled": "true""#, &["disabled must be true or false, not a text"]);
    check(r#""command": "a", "timeout": 60"#, &["timeout must be", "not 60", "milliseconds"]);
    check(r#""command": "a", "max_concurrency": 0"#, &["max_concurrency must be", "from 1 to", "not 0"]);
    check(r#""command": "a", "max_concurrency": 1.5"#, &["not 1.5"]);
    check(r#""command": "a", "idle_timeout_ms": -1"#, &["not -1"]);
    for field in ["connect_timeout_ms", "request_timeout_ms", "max_concurrency", "max_message_bytes"] {
        check(&format!(r#""command": "a", "{field}": 0"#), &[field, "not 0"]);
    }
    check(
        r#""command": "a", "request_timeout_ms": 5000, "max_request_timeout_ms": 4999"#,
        &["max_request_timeout_ms (4999)", "raise it"],
    );
    check(r#""command": "a", "max_message_bytes": "5""#, &["max_message_bytes must be", "not a text"]);
    check(r#""command": "a", "clean_env": true, "cleanEnv": true"#, &["cleanEnv mean the same"]);
    check(r#""command": "a", "command": "b""#, &["command is there twice"]);
    check(r#""transport": "stdio", "url": "http://h""#, &["the transport \"stdio\" needs \"command\""]);
}

#[test]
fn says_what_is_wrong_with_a_network_entry() {
    let check = |fields: &str, expected: &[&str]| {
        let error = one(fields).expect_err(fields).to_string();
        for part in expected {
            assert!(error.contains(part), "{fields}: {error}");
        }
        assert!(!error.contains("hush") && !error.contains('\n'), "{fields}: {error}");
    };
    check(r#""transport": "http", "command": "a""#, &["the transport \"http\" needs \"url\""]);
    check(r#""transport": "sse", "args": ["a"]"#, &["the transport \"sse\" needs \"url\""]);
    check(r#""transport": "ht tp", "url": "http://h""#, &["transport \"ht tp\"", "use \"stdio\""]);
    check(r#""transport": 1, "url": "http://h""#, &["transport must be a text"]);
    check(r#""url": "ftp://h""#, &["url \"ftp://h\" must begin with http://"]);
    check(r#""url": "http://me:hush@h/mcp?k=hush""#, &["must not carry a user", "Authorization"]);
    check(r#""url": "${TOKEN}/mcp""#, &["url \"${TOKEN}/mcp\" must begin"]);
    let header = |name: &str, value: &str| format!(r#""url": "http://h", "headers": {{"{name}": "{value}"}}"#);
    check(&header("Host", "hush"), &["headers.Host", "set by the gateway itself"]);
    check(&header("content-LENGTH", "hush"), &["content-LENGTH"]);
    check(&header("Transfer-Encoding", "hush"), &["Transfer-Encoding"]);
    check(&header("connection", "hush"), &["connection"]);
    check(&header("a b", "hush"), &["no header name"]);
    check(&header("a\\r\\nb", "hush"), &["no header name"]);
    check(&header("", "hush"), &["no header name"]);
    check(&header("X-A", "hush\\r\\nEvil: 1"), &["headers.X-A", "line break"]);
    check(&header("X-A", "${BREAK}"), &["headers.X-A", "line break"]);
    check(&header("X-A", "hush é"), &["headers.X-A", "beyond ASCII"]);
    check(r#""url": "http://h", "headers": {"X-A": "hush", "x-a": "hush"}"#, &["x-a is there twice"]);
}

#[test]
fn tells_all_mistakes_of_an_entry() {
    let error = one(r#""command": "${A}", "args": ["${B}"], "env": {"K": "${C}"}, "shared": 1"#);
    let error = error.expect_err("bad").to_string();
    for part in ["${A}", "${B}", "${C}", "shared"] {
        assert!(error.contains(part), "{error}");
    }
    assert!(!error.contains("neither"), "{error}");
}

#[test]
fn one_bad_entry_never_stops_the_good_ones() {
    let parsed = entries(
        r#""zeta": {"command": "z"}, "bad": 5, "alpha": {"url": "http://h"}, "zeta": {"command": "other"}, "": {"command": "c"}, "beta": {"command": "b"}"#,
    );
    let found: Vec<_> = parsed
        .iter()
        .map(|entry| match entry {
            Ok(spec) => spec.name().to_owned(),
            Err(error) => format!("({})", error.name),
        })
        .collect();
    assert_eq!(found, ["zeta", "(bad)", "alpha", "(zeta)", "()", "beta"]);
    assert!(parsed[3].as_ref().expect_err("a double").to_string().contains("this name"));
}

#[test]
fn the_list_itself() {
    let good = |text: &str, names: &[&str]| {
        let parsed = parse(text, &environment).unwrap_or_else(|error| panic!("{text}: {error}"));
        let found: Vec<_> = parsed.iter().map(|e| e.as_ref().expect("valid").name()).collect();
        assert_eq!(found, names, "{text}");
    };
    good(r#"{"mcpServers": {}}"#, &[]);
    good("\u{feff}{\"mcpServers\": {\"b\": {\"command\": \"x\"}, \"a\": {\"command\": \"x\"}}}\n", &["b", "a"]);
    good(r#"{"inputs": [], "servers": {"a": {"command": "x"}}}"#, &["a"]);
    good(r#"{"servers": {"a": {"command": "x"}}, "mcpServers": {"b": {"command": "x"}}, "numStartups": 7}"#, &["b"]);

    let bad = |text: &str, expected: &str| {
        let error = parse(text, &environment).expect_err(text);
        assert!(error.message().contains(expected), "{text}: {error}");
    };
    bad("", "not valid JSON");
    bad("{", "not valid JSON");
    bad("{\"mcpServers\": {\"a\": }}", "line 1 column 22");
    bad("[]", "must be an object");
    bad("\"hush\"", "must be an object");
    bad("{}", "found nothing");
    bad(r#"{"a": {"command": "x"}}"#, r#"found "a""#);
    bad(r#"{"mcpServers": []}"#, r#""mcpServers" must be an object"#);
    bad(r#"{"mcpServers": null}"#, r#""mcpServers" must be an object"#);
    bad(r#"{"mcpServers": {}, "mcpServers": {}}"#, "twice");
}

#[test]
fn sizes_are_bounded() {
    let error = parse(&" ".repeat(MAX_TEXT_BYTES + 1), &environment).expect_err("too large");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    let many: Vec<_> = (0..=MAX_ENTRIES).map(|n| format!(r#""{n}":{{}}"#)).collect();
    let error = parse(&format!(r#"{{"mcpServers":{{{}}}}}"#, many.join(",")), &environment);
    assert_eq!(error.expect_err("too many").kind(), ErrorKind::TooLarge);
    let deep = format!(r#"{{"mcpServers": {{"x": {{"command": {}{} }}}}}}"#, "[".repeat(200_000), "]".repeat(200_000));
    assert!(
        parse(&deep, &environment).is_err_and(|e| e.kind() == ErrorKind::InvalidRequest) || entries_are_errors(&deep)
    );
    let args = format!(r#""command": "a", "args": [{}]"#, vec!["1"; MAX_ITEMS + 1].join(","));
    assert!(one(&args).expect_err("too many").to_string().contains("at most 1024"));
    let long = format!(r#""command": "a", "args": ["{}"]"#, "x".repeat(MAX_VALUE_BYTES + 1));
    let error = one(&long).expect_err("too long").to_string();
    assert!(error.contains("args[0] is longer than") && error.len() < 200, "{error}");
    let name = "n".repeat(100_000);
    let error = entries(&format!(r#""{name}": {{"command": "a"}}"#)).pop().expect("one").expect_err("long name");
    assert!(error.to_string().len() < 400, "{error}");
}

fn entries_are_errors(text: &str) -> bool {
    parse(text, &environment).is_ok_and(|entries| entries.iter().all(Result::is_err))
}

#[test]
fn callers_from_outside_read_no_environment() {
    let limits = ServerLimits { request_timeout_ms: 7, ..ServerLimits::default() };
    let policy = Policy { variables: Variables::Refused, limits };
    let text = r#"{"mcpServers": {"a": {"url": "http://h", "headers": {"X": "${TOKEN}"}}, "b": {"command": "b"}}}"#;
    let parsed = parse_with(text, &policy).expect("a list");
    let error = parsed[0].as_ref().expect_err("refused").to_string();
    assert!(error.contains("headers.X uses ${TOKEN}, and only the servers file"), "{error}");
    assert_eq!(parsed[1].as_ref().expect("valid").limits().request_timeout_ms, 7);
}

#[test]
fn no_text_breaks_the_parser() {
    let good = r#"{"mcpServers": {"a": {"command": "${A:-x}", "args": ["$${", 1e5], "env": {"K": "\ud83d\ude00"}},
        "b": {"url": "http://u:p@[::1]:80/é?q#f", "headers": {"X-A": "v"}, "timeout": 1, "disabled": null}}}"#;
    for at in 0..good.len() {
        for byte in *b"\0\"\\{}[]:,$@#0\xff" {
            let mut bytes = good.as_bytes().to_vec();
            bytes[at] = byte;
            if let Ok(entries) = parse(&String::from_utf8_lossy(&bytes), &environment) {
                assert!(entries.len() <= 3);
            }
        }
        let _ = parse(&String::from_utf8_lossy(&good.as_bytes()[..at]), &environment);
    }
}
