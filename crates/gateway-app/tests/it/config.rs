//! Layers, mistakes, the example file.

use std::path::Path;

use gateway_app::{Arguments, LogLevel, McpFlags, Program};
use gateway_core::{CommandServers, Prefix};

use crate::Scene;

#[test]
fn the_later_layer_counts() {
    let port = |scene: &Scene| scene.load().expect("no mistakes").settings.address.port();
    let scene = Scene::new();
    assert_eq!(port(&scene), 8000);
    let scene = scene.file("config/gateway.toml", "[server]\nport = 1001\nmax_headers = 50\n");
    assert_eq!(port(&scene), 1001);
    let scene = scene.file(".env", "# mine\nGATEWAY_PORT=1002\nGATEWAY__SESSIONS__MAX=7\n");
    assert_eq!(port(&scene), 1002);
    let scene = scene.variable("GATEWAY_PORT", "1003");
    assert_eq!(port(&scene), 1003);
    let scene = scene.arguments(|arguments| arguments.port = Some("1004".to_owned()));
    assert_eq!(port(&scene), 1004);
    // What the later layers do not say stays.
    let settings = scene.load().expect("no mistakes").settings;
    assert_eq!((settings.server.max_headers, settings.engine.max_sessions), (50, 7));
}

#[test]
fn another_file_takes_the_place_of_the_usual_one() {
    let scene = Scene::new()
        .file("config/gateway.toml", "[server]\nport = 1001\n")
        .file("other.toml", "[server]\nmax_headers = 50\n")
        .arguments(|arguments| arguments.config = Some("other.toml".into()));
    let settings = scene.load().expect("no mistakes").settings;
    assert_eq!((settings.address.port(), settings.server.max_headers), (8000, 50));
}

#[test]
fn both_programs_run_with_one_configuration() {
    let file = "[server]\nport = 1001\n[mcp]\nport = 1002\n[relay]\nurl = \"http://elsewhere:1\"\n";
    let mcp = |flags: McpFlags| move |arguments: &mut Arguments| arguments.program = Program::Mcp(flags);
    let port = |scene: &Scene| scene.load().expect("no mistakes").settings.address.port();
    assert_eq!(port(&Scene::new().arguments(mcp(McpFlags::default()))), 3000);
    let scene = Scene::new().file("config/gateway.toml", file);
    assert_eq!(port(&scene), 1001);
    let scene = scene.arguments(mcp(McpFlags::default()));
    assert_eq!(port(&scene), 1002);
    let scene = scene.variable("GATEWAY_PORT", "1003");
    assert_eq!(port(&scene), 1003);
    let origin =
        |scene: &Scene| scene.load().expect("no mistakes").settings.relay.map(|relay| relay.remote.origin().to_owned());
    assert_eq!(origin(&scene).as_deref(), Some("http://elsewhere:1"));
    let flags = McpFlags { gateway_url: Some("http://there/".to_owned()), stdio: true, ..McpFlags::default() };
    let scene = scene.arguments(mcp(flags));
    assert_eq!(origin(&scene).as_deref(), Some("http://there"));
    assert!(scene.load().expect("no mistakes").settings.speaks_stdio);
    assert_eq!(origin(&Scene::new()), None);
}

#[test]
fn a_key_is_no_word_of_the_address() {
    let scene = Scene::new().variable("GATEWAY_URL", "http://h").variable("GATEWAY_URL_API_KEY", "a\tb");
    let text = scene.load().expect_err("no header can carry the key").to_string();
    assert!(text.contains("has a mistake") && text.contains("relay.api_key = \"***\""), "{text}");
}

#[test]
fn variables_reach_every_setting() {
    let scene = Scene::new()
        .file("x.json", r#"{"mcpServers": {}}"#)
        .variable("GATEWAY_HOST", "::1")
        .variable("GATEWAY_API_KEY", "0123")
        .variable("LOG_LEVEL", "WARNING")
        .variable("GATEWAY__SERVER__ALLOWED_HOSTS", "a.example, b.example:1,")
        .variable("GATEWAY__SERVERS__WATCH", "no")
        .variable("GATEWAY__SERVERS__COMMAND_SERVERS", "never")
        .variable("GATEWAY__SERVERS__PREFIX", "on-collision")
        .variable("GATEWAY__SEARCH__MIN_SCORE", "0.25")
        .variable("GATEWAY__SERVERS__FILE", "x.json")
        .variable("GATEWAY__SERVER__BODY_LIMIT_BYTES", "")
        // Known, and for later.
        .variable("REDIS_HOST", "redis")
        .variable("REDIS_PORT", "tcp://10.0.0.7:6379")
        .variable("OPENAI_API_KEY", "sk")
        // Kubernetes makes these for a service called "gateway".
        .variable("GATEWAY_PORT_80_TCP_ADDR", "10.0.0.1")
        .variable("GATEWAY_SERVICE_HOST", "10.0.0.1");
    let settings = scene.load().expect("no mistakes").settings;
    assert_eq!(settings.address.to_string(), "[::1]:8000");
    assert_eq!(settings.api_key.expect("a key").expose(), "0123");
    assert_eq!(settings.log.level, LogLevel::Warn);
    assert_eq!(settings.server.allowed_hosts, ["a.example", "b.example:1"]);
    assert!(!settings.servers.watch);
    assert_eq!(settings.engine.command_servers, CommandServers::Never);
    assert_eq!(settings.engine.prefix, Prefix::OnCollision);
    assert_eq!(settings.search.min_score, 0.25);
    assert_eq!(settings.servers.file.as_deref(), Some(Path::new("x.json")));
}

#[test]
fn the_dotenv_file_changes_no_variable_of_the_process() {
    let list = r#"{"mcpServers": {"a": {"command": "${GATEWAY_APP_TEST_ONLY}"}}}"#;
    let scene = Scene::new().file("servers.json", list).file(".env", "GATEWAY_APP_TEST_ONLY=1\n");
    assert_eq!(scene.load().expect("no mistakes").list.refused, []);
    assert!(std::env::var_os("GATEWAY_APP_TEST_ONLY").is_none());
}

#[test]
fn all_mistakes_are_told_at_once() {
    let scene = Scene::new()
        .file(
            "config/gateway.toml",
            "title = \"x\"\n[server]\nport = \"80o0\"\nhots = \"localhost\"\nmax_headers = 1\n\
             allowed_origins = [\"app.example\"]\n[auth]\napi_key = 5\n[logs]\nlevel = \"info\"\n\
             [log]\nlevel = \"loud\"\nfilter = \"=,=\"\n[sessions]\nttl_seconds = 99\nmax_ttl_seconds = 9\n",
        )
        .file(".env", "GATEWAY__SERVER__GRACE_MS=-1\nthis is hush\n")
        .variable("GATEWAY_HSOT", "x")
        .variable("GATEWAY__SERVER__KEEP_ALIVE", "5")
        .variable("GATEWAY__SEARCH__MIN_SCORE", "2")
        .variable("GATEWAY__SERVERS__WATCH", "perhaps")
        .arguments(|arguments| arguments.host = Some("example.com".to_owned()));
    let text = scene.load().expect_err("mistakes").to_string();
    for expected in [
        "server.port = \"80o0\" (file config/gateway.toml:3): must be a whole number from 0 to 65535",
        "server.hots (file config/gateway.toml:4): is no setting; did you mean server.host?",
        "server.max_headers = 1 (file config/gateway.toml:5): must be a whole number from 16",
        "server.allowed_origins = [\"app.example\"] (file config/gateway.toml:6): has \"app.example\"",
        "auth.api_key (file config/gateway.toml:8): must be a text",
        "logs.level (file config/gateway.toml:10): is no setting; did you mean log.level?",
        "log.level = \"loud\" (file config/gateway.toml:12): must be one of \"off\", \"error\"",
        "log.filter = \"=,=\" (file config/gateway.toml:13): must be as in",
        "sessions.ttl_seconds = 99 (file config/gateway.toml:15): is longer than sessions.max_ttl_seconds",
        "title (file config/gateway.toml:1): is no setting",
        "server.grace_ms = \"-1\" (variable GATEWAY__SERVER__GRACE_MS in .env): must be a whole number",
        ".env:2: is no line of the form NAME=value",
        "GATEWAY_HSOT (variable GATEWAY_HSOT): is no variable of the gateway; did you mean GATEWAY_HOST?",
        "server.keep_alive (variable GATEWAY__SERVER__KEEP_ALIVE): is no setting; did you mean GATEWAY__SERVER__KEEP_ALIVE_MS?",
        "search.min_score = \"2\" (variable GATEWAY__SEARCH__MIN_SCORE): must be a number from 0 to 1",
        "servers.watch = \"perhaps\" (variable GATEWAY__SERVERS__WATCH): must be true or false",
        "server.host = \"example.com\" (flag --host): must be localhost or an IP address",
        "has 17 mistakes",
    ] {
        assert!(text.contains(expected), "{expected}\nis not in\n{text}");
    }
    assert!(!text.contains("hush"), "{text}");
}

#[test]
fn sections_and_files_that_are_none() {
    let check = |scene: Scene, expected: &str| {
        let text = scene.load().expect_err(expected).to_string();
        assert!(text.contains(expected), "{expected}\nis not in\n{text}");
    };
    check(
        Scene::new().file("config/gateway.toml", "server = 5\n"),
        "server (file config/gateway.toml:1): is a section",
    );
    check(
        Scene::new().file("config/gateway.toml", "[server\nport = 1\n"),
        "file config/gateway.toml:1): is not valid TOML",
    );
    check(Scene::new().file("config/gateway.toml", "port = 1\n"), "did you mean server.port?");
    check(Scene::new().file("config/gateway.toml", "[server.port]\nx = 1\n"), "server.port = {...}");
    check(Scene::new().file("config/gateway.toml", "[server]\nport = 99999999999999999999\n"), "server.port = ");
    check(Scene::new().file("config/gateway.toml", "[server]\nport = 0x1F90\nhost = 1.5\n"), "server.host = 1.5");
    let missing = |arguments: &mut Arguments| arguments.config = Some("none.toml".into());
    check(Scene::new().arguments(missing), "(file none.toml): cannot be read");
    let both = Scene::new().variable("GATEWAY_PORT", "1").variable("GATEWAY__SERVER__PORT", "2");
    check(both, "server.port (variable GATEWAY__SERVER__PORT): contradicts the variable GATEWAY_PORT");
    let kubernetes = Scene::new().variable("GATEWAY_PORT", "tcp://10.0.0.1:80");
    check(kubernetes, "server.port = \"tcp://10.0.0.1:80\" (variable GATEWAY_PORT)");
    check(Scene::new().variable("GATEWAY__", "1"), "is no setting");
    check(Scene::new().variable("GATEWAY_API_KEY", "two words"), "auth.api_key = \"***\"");
    let empty = "is empty; give it a value, or remove it";
    check(
        Scene::new().variable("GATEWAY_API_KEY", ""),
        &format!("auth.api_key = \"\" (variable GATEWAY_API_KEY): {empty}"),
    );
    check(Scene::new().file(".env", "GATEWAY_API_KEY=\n"), empty);
    check(Scene::new().file("config/gateway.toml", "[auth]\napi_key = \"\"\n"), empty);
    // The weaker key is not what counts in its place.
    let both = Scene::new().file(".env", "GATEWAY_API_KEY=0123456789abcdef\n").variable("GATEWAY_API_KEY", "");
    check(both, empty);
}

#[test]
fn localhost_is_both_loopback_addresses() {
    let check = |host: Option<&str>, expected: Option<&str>| {
        let scene = Scene::new().arguments(|arguments| arguments.host = host.map(str::to_owned));
        let settings = scene.load().expect("no mistakes").settings;
        assert_eq!(settings.second_address.map(|ip| ip.to_string()).as_deref(), expected, "{host:?}");
    };
    check(None, Some("::1"));
    check(Some("localhost"), Some("::1"));
    check(Some("127.0.0.1"), None);
    check(Some("::1"), None);
}

#[test]
fn added_servers_see_the_limits_and_variables_of_the_file() {
    let scene = Scene::new().file(".env", "TOKEN=weak\nOTHER=other\n").variable("TOKEN", "strong");
    let scene = scene.variable("GATEWAY__SERVERS__REQUEST_TIMEOUT_MS", "1234");
    let rest = scene.load().expect("no mistakes").settings.rest;
    assert_eq!(rest.server_limits.request_timeout_ms, 1234);
    assert_eq!(
        ["TOKEN", "OTHER", "NONE"].map(|name| rest.variables.get(name)),
        [Some("strong".to_owned()), Some("other".to_owned()), None]
    );
}

#[test]
fn an_open_door_needs_a_word() {
    for host in ["0.0.0.0", "::", "192.168.0.1", "[::]", "::ffff:10.0.0.1"] {
        let scene = Scene::new().arguments(|arguments| arguments.host = Some(host.to_owned()));
        let text = scene.load().expect_err(host).to_string();
        assert!(text.contains("GATEWAY_API_KEY") && text.contains("insecure_bind"), "{text}");
        assert!(text.contains("(flag --host)"), "{text}");
        let with_key = scene.variable("GATEWAY_API_KEY", "k");
        assert!(with_key.load().is_ok(), "{host}");
        let scene = Scene::new().arguments(|arguments| arguments.host = Some(host.to_owned()));
        let told = scene.variable("GATEWAY__SERVER__INSECURE_BIND", "true");
        assert!(told.load().is_ok(), "{host}");
    }
    for host in ["localhost", "127.0.0.1", "127.1.2.3", "::1", "[::1]", "::ffff:127.0.0.1"] {
        let scene = Scene::new().arguments(|arguments| arguments.host = Some(host.to_owned()));
        assert!(scene.load().is_ok(), "{host}");
    }
}

#[test]
fn secrets_are_hidden() {
    let scene = Scene::new().variable("GATEWAY_API_KEY", "hush-hush");
    let loaded = scene.load().expect("no mistakes");
    assert!(!format!("{loaded:?}").contains("hush"));
    assert!(loaded.effective.contains("api_key = \"***\"  # variable GATEWAY_API_KEY"), "{}", loaded.effective);
    assert!(!loaded.effective.contains("hush"));
}

#[test]
fn the_example_file_says_the_defaults() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/gateway.toml"));
    let text = text.expect("the example file");
    let defaults = Scene::new().load().expect("no mistakes");
    let example = Scene::new().file("config/gateway.toml", &text).load().unwrap_or_else(|error| panic!("{error}"));
    for line in defaults.effective.lines() {
        // A setting without a value stands there as a comment with an example.
        let expected = match line.strip_prefix("# ").and_then(|line| line.strip_suffix(" is not set")) {
            Some(name) => format!("\n# {name} = "),
            None => format!("\n{line}\n"),
        };
        assert!(text.contains(&expected) || line.is_empty(), "the example file lacks {expected:?}");
    }
    assert_eq!(format!("{:?}", example.settings), format!("{:?}", defaults.settings));
    // Nothing in the effective configuration still counts as a default: the example says everything.
    for line in example.effective.lines().filter(|line| line.contains(" = ")) {
        assert!(line.contains("# file config/gateway.toml:"), "{line}");
    }
}

#[test]
fn the_effective_configuration_is_a_configuration() {
    let scene = Scene::new().file("a\"b.json", r#"{"mcpServers": {}}"#);
    let scene = scene.variable("GATEWAY__SERVERS__FILE", "a\"b.json");
    let first = scene.load().expect("no mistakes");
    let scene = scene.file("config/gateway.toml", &first.effective).variable("GATEWAY__SERVERS__FILE", "");
    let second = scene.load().expect("no mistakes");
    assert_eq!(format!("{:?}", second.settings), format!("{:?}", first.settings));
}

#[test]
fn the_demo_server_stands_beside_the_gateway() {
    let scene = Scene::new().arguments(|arguments| arguments.demo = true);
    let text = scene.load().expect_err("not built").to_string();
    assert!(text.contains("(flag --demo)") && text.contains("cargo build -p demo-server"), "{text}");
    let name = format!("demo-server{}", std::env::consts::EXE_SUFFIX);
    let demo = scene.file(&name, "").load().expect("no mistakes").demo.expect("the demo server");
    assert_eq!(demo.name(), "demo");
}

#[test]
fn check_tells_of_bad_entries() {
    let scene = Scene::new().file("servers.json", r#"{"mcpServers": {"a": {}, "b": {"command": "x"}}}"#);
    let text = scene.load().expect("no mistakes").check().expect_err("a bad entry").to_string();
    assert!(text.contains("the server \"a\" (file servers.json)"), "{text}");
    let new = r#"{"mcpServers": {"a": {"type": "grpc", "url": "https://a.example/"}}}"#;
    let loaded = scene.file("servers.json", new);
    let text = loaded.load().expect("no mistakes").check().expect_err("no such transport").to_string();
    assert!(text.contains("the transport \"grpc\" is not there, only \"stdio\", \"http\", \"sse\""), "{text}");
    let scene = loaded.file("servers.json", r#"{"mcpServers": {"b": {"command": "x", "disabled": true}}}"#);
    let text = scene.load().expect("no mistakes").check().expect("all good");
    assert!(text.contains("[server]\nhost = \"localhost\"\n") && text.contains("#   b (stdio, disabled)"), "{text}");
}

#[test]
fn redis_is_used_only_where_it_is_named() {
    let redis = |scene: Scene| scene.load().expect("no mistakes").settings.redis.map(|it| it.url.expose().to_owned());
    assert_eq!(redis(Scene::new()), None);
    assert_eq!(redis(Scene::new().file("config/gateway.toml", "[redis]\ninventory = false\n")), None);
    for (name, value, expected) in [
        ("REDIS_HOST", "cache", "redis://cache:6379/"),
        ("REDIS_HOST", "::1", "redis://[::1]:6379/"),
        ("REDIS_PORT", "7000", "redis://localhost:7000/"),
        ("GATEWAY__REDIS__URL", "rediss://u:p@h:1/2", "rediss://u:p@h:1/2"),
    ] {
        assert_eq!(redis(Scene::new().variable(name, value)).as_deref(), Some(expected), "{name}={value}");
    }
    let scene = Scene::new().variable("REDIS_HOST", "h").variable("GATEWAY__REDIS__PASSWORD", "a@b/c");
    assert_eq!(redis(scene).as_deref(), Some("redis://:a%40b%2Fc@h:6379/"));
    for (name, value) in [("REDIS_HOST", "h/x@evil"), ("REDIS_PORT", "0"), ("GATEWAY__REDIS__URL", "http://h")] {
        Scene::new().variable(name, value).load().expect_err(value);
    }
}

#[test]
fn the_best_store_that_is_named_is_taken() {
    let kept = |scene: &Scene| format!("{:?}", scene.load().expect("no mistakes").settings.storage.place);
    let scene = Scene::new();
    assert_eq!(kept(&scene), "Memory");
    let scene = scene.variable("GATEWAY__DATA__DIR", "d");
    assert_eq!(kept(&scene), "Sqlite(\"d\")");
    let scene = scene.variable("REDIS_HOST", "h");
    assert_eq!(kept(&scene), "Redis");
    let scene = scene.variable("GATEWAY__STORAGE__POSTGRES_URL", "postgres://u:hush@h/d");
    assert!(kept(&scene).starts_with("Postgres") && !kept(&scene).contains("hush"), "{}", kept(&scene));
    let scene = scene.variable("GATEWAY__STORAGE__KIND", "memory");
    assert_eq!(kept(&scene), "Memory");
    for (kind, remedy) in [("redis", "REDIS_HOST"), ("sqlite", "data.dir"), ("postgres", "storage.postgres_url")] {
        let mistakes = Scene::new().variable("GATEWAY__STORAGE__KIND", kind).load().expect_err(kind).to_string();
        assert!(mistakes.contains(remedy), "{mistakes}");
    }
}

#[test]
fn a_broker_has_an_address_of_its_kind() {
    let broker = |scene: Scene| format!("{:?}", scene.load().expect("no mistakes").settings.queue.broker);
    assert_eq!(broker(Scene::new()), "Memory");
    assert_eq!(broker(Scene::new().variable("REDIS_PORT", "6379")), "Redis");
    let of = |kind: &str, url: &str| {
        Scene::new().variable("GATEWAY__QUEUE__KIND", kind).variable("GATEWAY__QUEUE__URL", url)
    };
    assert_eq!(broker(of("rabbitmq", "amqp://u:hush@h/%2f")), "RabbitMq(Secret(***))");
    assert_eq!(broker(of("nats", "nats://h:4222")), "Nats(Secret(***))");
    for (kind, url) in [("rabbitmq", "nats://h"), ("nats", ""), ("memory", "amqp://h"), ("redis", "")] {
        of(kind, url).load().expect_err(kind);
    }
}
