//! Finding and reading the servers file.

use gateway_app::ServerList;

use crate::Scene;

fn read(scene: &Scene) -> ServerList {
    scene.load().unwrap_or_else(|mistakes| panic!("{mistakes}")).list
}

fn names(list: &ServerList) -> Vec<&str> {
    list.servers.iter().map(gateway_core::ServerSpec::name).collect()
}

fn list(name: &str) -> String {
    format!(r#"{{"mcpServers": {{"{name}": {{"command": "x"}}}}}}"#)
}

#[test]
fn looks_in_the_usual_places() {
    let check = |scene: &Scene, expected: Option<&str>| {
        let list = read(scene);
        assert_eq!(list.path.as_deref(), expected.map(std::path::Path::new));
        assert_eq!(names(&list), expected.into_iter().collect::<Vec<_>>());
    };
    let scene = Scene::new();
    check(&scene, None);
    let scene = scene.file("config/servers.txt", &list("config/servers.txt"));
    check(&scene, Some("config/servers.txt"));
    let scene = scene.file("servers.txt", &list("servers.txt"));
    check(&scene, Some("servers.txt"));
    let scene = scene.file("servers.json", &list("servers.json"));
    check(&scene, Some("servers.json"));
    let scene = scene.file("else/where.json", &list("else/where.json"));
    check(&scene.arguments(|arguments| arguments.servers = Some("else/where.json".into())), Some("else/where.json"));
}

#[test]
fn variables_and_limits_come_from_the_configuration() {
    let scene = Scene::new()
        .file("servers.json", r#"{"mcpServers": {"a": {"command": "${A}", "args": ["${B}", "${C:-c}"]}}}"#)
        .file(".env", "A=dotenv\nB=dotenv\n")
        .variable("A", "process")
        .variable("GATEWAY__SERVERS__REQUEST_TIMEOUT_MS", "7");
    let list = read(&scene);
    let gateway_core::Endpoint::Command(command) = list.servers[0].endpoint() else { panic!("a command") };
    assert_eq!((command.program.as_str(), &command.args[..]), ("process", &["dotenv".to_owned(), "c".to_owned()][..]));
    assert_eq!(list.servers[0].limits().request_timeout_ms, 7);
}

#[test]
fn bad_entries_are_told_and_stop_nothing() {
    let text = r#"{"mcpServers": {"a": {"command": "${NONE}"}, "b": {"command": "x"}, "c": {}}}"#;
    let list = read(&Scene::new().file("servers.json", text));
    assert_eq!(names(&list), ["b"]);
    let mistakes = list.mistakes().to_string();
    assert!(mistakes.contains("the server \"a\" (file servers.json): command uses ${NONE}"), "{mistakes}");
    assert!(mistakes.contains("the server \"c\" (file servers.json): has neither"), "{mistakes}");
}

#[test]
fn files_that_are_no_lists() {
    let check = |scene: Scene, expected: &str| {
        let mistakes = scene.load().expect_err(expected).to_string();
        assert!(mistakes.contains(expected), "{mistakes}");
    };
    check(
        Scene::new().file("servers.json", "{"),
        "the servers file (file servers.json): the list of servers is not valid JSON",
    );
    check(Scene::new().file("servers.json/x", ""), "no regular file");
    let named = Scene::new().arguments(|arguments| arguments.servers = Some("none.json".into()));
    check(named, "(file none.json): cannot be read");
    check(Scene::new().file("servers.json", &" ".repeat(5 << 20)), "at most");
}

#[test]
fn the_example_list_is_right() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/servers.example.json"));
    let list = read(&Scene::new().file("servers.json", &text.expect("the example")));
    assert_eq!(list.refused, []);
    assert_eq!(names(&list), ["time", "files", "github", "remote"]);
}
