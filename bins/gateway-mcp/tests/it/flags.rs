//! Flags and mistakes.

use crate::program::Place;

#[test]
fn help_and_version() {
    let help = Place::new().run(&["--help"]);
    assert_eq!(help.status, Some(0));
    for part in [
        "--host",
        "--port",
        "--config",
        "--servers",
        "--data-dir",
        "--demo",
        "--check",
        "--gateway-url",
        "--stdio",
        "--expose",
        "--session",
        "[default: 3000]",
        "GATEWAY_URL_API_KEY",
        "GATEWAY_SESSION",
        "GATEWAY__SECTION__KEY",
    ] {
        assert!(help.out.contains(part), "{part} is not in {}", help.out);
    }
    assert!(!help.out.contains("8000]"), "{}", help.out);
    let version = Place::new().run(&["--version"]);
    assert_eq!(version.out, format!("gateway-mcp {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(Place::new().run(&["--gateway-ulr", "http://h"]).status, Some(2));
}

#[test]
fn check_prints_what_counts() {
    let place = Place::new()
        .file("config/gateway.toml", "[server]\nport = 1001\n[relay]\nurl = \"http://file\"\n")
        .variable("GATEWAY_URL", "http://variable")
        .variable("GATEWAY_URL_API_KEY", "hush")
        .variable("GATEWAY_SESSION", "sess_1");
    let said = place.run(&["--check"]);
    assert_eq!((said.status, said.err.as_str()), (Some(0), ""));
    for line in [
        "port = 1001  # file config/gateway.toml:2\n",
        "port = 3000\n",
        "url = \"http://variable\"  # variable GATEWAY_URL\n",
        "api_key = \"***\"  # variable GATEWAY_URL_API_KEY\n",
        "session = \"sess_1\"  # variable GATEWAY_SESSION\n",
    ] {
        assert!(said.out.contains(line), "{line} is not in {}", said.out);
    }
    let said = place.variable("GATEWAY_PORT", "5").run(&[
        "--check",
        "--gateway-url",
        "http://flag",
        "--stdio",
        "--expose",
        "all",
    ]);
    for line in [
        "url = \"http://flag\"  # flag --gateway-url\n",
        "stdio = true  # flag --stdio\n",
        "expose = \"all\"  # flag --expose\n",
        "port = 1001  # file config/gateway.toml:2\n",
        "port = 5  # variable GATEWAY_PORT\n",
    ] {
        assert!(said.out.contains(line), "{line} is not in {}", said.out);
    }
}

#[test]
fn mistakes_are_all_told_and_end_with_status_2() {
    let place = Place::new().variable("GATEWAY_URL_API_KEY", "two words").variable("GATEWAY_PORT", "many");
    let said = place.run(&["--stdio", "--gateway-url", "localhost:8000", "--session", "a b", "--expose", "some"]);
    assert_eq!((said.status, said.out.as_str()), (Some(2), ""));
    for part in [
        "gateway-mcp: the configuration has 5 mistakes:\n",
        "relay.url = \"localhost:8000\" (flag --gateway-url): ",
        "relay.session = \"a b\" (flag --session): must be the id of a session",
        "relay.api_key = \"***\" (variable GATEWAY_URL_API_KEY): must be of visible ASCII",
        "mcp.expose = \"some\" (flag --expose): must be one of \"search\", \"all\"",
        "mcp.port = \"many\" (variable GATEWAY_PORT)",
    ] {
        assert!(said.err.contains(part), "{part} is not in {}", said.err);
    }
}

#[test]
fn the_servers_file_is_nobodys_affair_in_front_of_a_gateway() {
    let place = Place::new().file("servers.json", "{");
    assert_eq!(place.run(&["--stdio", "--gateway-url", "http://127.0.0.1:1"]).status, Some(0));
    assert_eq!(place.run(&["--check"]).status, Some(2));
}

#[test]
fn a_door_open_to_the_network_wants_a_key() {
    let arguments = ["--host", "0.0.0.0", "--port", "0", "--gateway-url", "http://127.0.0.1:1"];
    let said = Place::new().run(&arguments);
    assert_eq!(said.status, Some(2));
    assert!(said.err.contains("GATEWAY_API_KEY"), "{}", said.err);
}
