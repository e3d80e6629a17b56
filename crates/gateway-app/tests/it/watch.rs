//! Following the servers file.

use std::fs;
use std::time::Duration;

use gateway_app::Watch;
use gateway_core::ServerSpec;
use tokio::time::timeout;

use crate::Scene;

/// Much longer than any change takes to be noticed, polling included.
const LONG: Duration = Duration::from_secs(20);

/// Longer than an unwanted change would take to show.
const SHORT: Duration = Duration::from_millis(700);

fn watch(scene: &Scene) -> Watch {
    let loaded = scene.load().expect("no mistakes");
    Watch::new(loaded.servers_file, loaded.list).expect("watching")
}

fn list(entries: &[(&str, &str)]) -> String {
    let entries: Vec<_> =
        entries.iter().map(|(name, command)| format!(r#""{name}": {{"command": "{command}"}}"#)).collect();
    format!(r#"{{"mcpServers": {{{}}}}}"#, entries.join(","))
}

async fn next(watch: &mut Watch) -> Vec<String> {
    let servers = timeout(LONG, watch.next()).await.expect("a change in time").expect("still watching");
    servers.iter().map(show).collect()
}

fn show(server: &ServerSpec) -> String {
    let gateway_core::Endpoint::Command(command) = server.endpoint() else { panic!("a command") };
    format!("{}={}", server.name(), command.program)
}

#[tokio::test]
async fn a_change_is_noticed_however_it_is_made() {
    let scene = Scene::new().file("servers.json", &list(&[("a", "1")]));
    let mut watch = watch(&scene);
    let path = scene.path().join("servers.json");
    fs::write(&path, list(&[("a", "1"), ("b", "2")])).expect("written in place");
    assert_eq!(next(&mut watch).await, ["a=1", "b=2"]);
    let new = scene.path().join(".servers.json.swp");
    fs::write(&new, list(&[("b", "3")])).expect("written beside");
    fs::rename(&new, &path).expect("put in the place");
    assert_eq!(next(&mut watch).await, ["b=3"]);
    fs::remove_file(&path).expect("removed");
    fs::write(&path, list(&[])).expect("written anew");
    assert_eq!(next(&mut watch).await, [""; 0]);
}

#[tokio::test]
async fn a_file_may_appear_later() {
    let scene = Scene::new();
    let mut watch = watch(&scene);
    fs::write(scene.path().join("servers.txt"), list(&[("late", "1")])).expect("written");
    assert_eq!(next(&mut watch).await, ["late=1"]);
}

#[tokio::test]
async fn a_change_between_reading_and_watching_is_noticed() {
    let scene = Scene::new().file("servers.json", &list(&[("a", "1")]));
    let loaded = scene.load().expect("no mistakes");
    fs::write(scene.path().join("servers.json"), list(&[("a", "2")])).expect("written");
    let mut watch = Watch::new(loaded.servers_file, loaded.list).expect("watching");
    assert_eq!(next(&mut watch).await, ["a=2"]);
}

#[tokio::test]
async fn a_broken_edit_changes_nothing() {
    let scene = Scene::new().file("servers.json", &list(&[("a", "1"), ("b", "1")]));
    let mut watch = watch(&scene);
    let path = scene.path().join("servers.json");
    fs::write(&path, "{\"mcpServers\": {").expect("written");
    assert!(timeout(SHORT, watch.next()).await.is_err(), "a broken file must change nothing");
    fs::remove_file(&path).expect("removed");
    assert!(timeout(SHORT, watch.next()).await.is_err(), "a file that is gone must change nothing");
    // A broken entry keeps the server that it was; the others change.
    fs::write(&path, r#"{"mcpServers": {"a": {"command": ""}, "b": {"command": "2"}}}"#).expect("written");
    let mut servers = next(&mut watch).await;
    servers.sort();
    assert_eq!(servers, ["a=1", "b=2"]);
}

#[tokio::test]
async fn other_files_and_equal_content_change_nothing() {
    let scene = Scene::new().file("servers.json", &list(&[("a", "1")]));
    let mut watch = watch(&scene);
    fs::write(scene.path().join("other.json"), "x").expect("written");
    fs::write(scene.path().join("servers.json"), format!("{}\n", list(&[("a", "1")]))).expect("written");
    assert!(timeout(SHORT, watch.next()).await.is_err());
}

#[cfg(unix)]
#[tokio::test]
async fn links_are_followed_as_kubernetes_makes_them() {
    use std::os::unix::fs::symlink;
    let scene =
        Scene::new().file("v1/servers.json", &list(&[("a", "1")])).file("v2/servers.json", &list(&[("a", "2")]));
    let at = |name: &str| scene.path().join(name);
    symlink("v1", at("..data")).expect("linked");
    symlink("..data/servers.json", at("servers.json")).expect("linked");
    let mut watch = watch(&scene);
    symlink("v2", at("..data_tmp")).expect("linked");
    fs::rename(at("..data_tmp"), at("..data")).expect("swapped");
    assert_eq!(next(&mut watch).await, ["a=2"]);
}
