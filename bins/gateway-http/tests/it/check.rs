//! Flags and mistakes: what ends before anything listens.

use crate::gateway::Place;

#[test]
fn help_and_version() {
    let help = Place::new().run(&["--help"]);
    assert_eq!(help.status, Some(0));
    for flag in
        ["--host", "--port", "--config", "--servers", "--data-dir", "--demo", "--check", "GATEWAY__SECTION__KEY"]
    {
        assert!(help.out.contains(flag), "{flag} is not in {}", help.out);
    }
    let version = Place::new().run(&["--version"]);
    assert_eq!(version.out, format!("gateway-http {}\n", env!("CARGO_PKG_VERSION")));
    let unknown = Place::new().run(&["--prot", "1"]);
    assert_eq!(unknown.status, Some(2));
    assert!(unknown.err.contains("--port"), "{}", unknown.err);
}

#[test]
fn check_prints_the_effective_configuration() {
    let place = Place::new()
        .file("config/gateway.toml", "[server]\nport = 1001\n")
        .file("servers.json", r#"{"mcpServers": {"x": {"url": "http://h/mcp", "headers": {"A": "hush"}}}}"#)
        .variable("GATEWAY_API_KEY", "hush-hush");
    let said = place.run(&["--check", "--host", "::1"]);
    assert_eq!((said.status, said.err.as_str()), (Some(0), ""));
    for line in [
        "port = 1001  # file config/gateway.toml:2\n",
        "host = \"::1\"  # flag --host\n",
        "api_key = \"***\"  # variable GATEWAY_API_KEY\n",
        "ttl_seconds = 3600\n",
        "# Servers of servers.json:\n#   x (http)\n",
    ] {
        assert!(said.out.contains(line), "{line} is not in {}", said.out);
    }
    assert!(!said.out.contains("hush"));
}

#[test]
fn mistakes_are_all_told_and_end_with_status_2() {
    let place = Place::new()
        .file("config/gateway.toml", "[server]\nprot = 1\n[log]\nlevel = \"loud\"\n")
        .file("servers.json", "{")
        .variable("GATEWAY_PORT", "many");
    for arguments in [&["--check"][..], &[]] {
        let said = place.run(arguments);
        assert_eq!((said.status, said.out.as_str()), (Some(2), ""));
        for part in [
            "gateway-http: the configuration has 4 mistakes:\n",
            "server.prot (file config/gateway.toml:2): is no setting; did you mean server.port?",
            "log.level = \"loud\" (file config/gateway.toml:4)",
            "server.port = \"many\" (variable GATEWAY_PORT)",
            "the servers file (file servers.json): ",
        ] {
            assert!(said.err.contains(part), "{part} is not in {}", said.err);
        }
    }
}

#[test]
fn check_tells_of_bad_entries() {
    let place = Place::new().file("servers.json", r#"{"mcpServers": {"x": {"command": "${NOT_SET}"}}}"#);
    let said = place.run(&["--check"]);
    assert_eq!(said.status, Some(2));
    assert!(said.err.contains("NOT_SET is not set"), "{}", said.err);
}

#[test]
fn an_open_door_is_refused() {
    let said = Place::new().run(&["--host", "0.0.0.0", "--port", "0"]);
    assert_eq!(said.status, Some(2));
    assert!(said.err.contains("GATEWAY_API_KEY") && said.err.contains("insecure_bind"), "{}", said.err);
    let place = Place::new().variable("GATEWAY_API_KEY", "0123456789abcdef");
    assert_eq!(place.run(&["--host", "0.0.0.0", "--check"]).status, Some(0));
}
