//! Starting programs, and finding out what they speak.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use gateway_core::{Command, Endpoint, Era, ErrorKind, Secret, ServerLimits, ServerSpec, Transport, Url};

use crate::support::*;

#[tokio::test]
async fn both_eras_are_found_and_remembered_ones_are_tried_first() {
    let check = async |flags: &[&str], remembered: Option<Era>, expected: Era, starts: usize| {
        let folder = Folder::new();
        let file = format!("starts={}", folder.path("starts"));
        let mut flags = flags.to_vec();
        flags.push(&file);
        let transport = transport();
        let limits = ServerLimits::default();
        let connect = connecting_with(odd(&flags), &Arc::default(), limits, remembered);
        let upstream = within(transport.connect(connect)).await.expect("it connects");
        assert_eq!(upstream.info().era, expected, "{flags:?}");
        let name = upstream.info().server_info.as_ref().expect("it has a name");
        assert_eq!(name.as_str(), r#"{"name": "odd", "version": "1"}"#);
        assert_eq!(folder.numbers("starts").len(), starts, "{flags:?}");
        assert_eq!(folder.numbers("starts").last(), Some(&group(&upstream)));
        // Requests of the modern era say what they are; those of the old one are left alone.
        let echo = ask(&upstream, "echo", "{}").await.expect("an answer");
        assert_eq!(echo.as_str().contains("protocolVersion"), expected == Era::Modern);
        within(upstream.close()).await;
        within(transport.drained()).await;
        assert!(folder.numbers("starts").into_iter().all(|group| !is_alive(group)));
    };
    check(&[], None, Era::Legacy, 1).await;
    check(&[], Some(Era::Legacy), Era::Legacy, 1).await;
    check(&[], Some(Era::Modern), Era::Legacy, 1).await;
    check(&["modern"], None, Era::Modern, 1).await;
    check(&["modern"], Some(Era::Legacy), Era::Modern, 1).await;
    check(&["mute-on-unknown"], None, Era::Legacy, 1).await;
    check(&["exit-on-discover"], None, Era::Legacy, 2).await;
    check(&["exit-on-discover"], Some(Era::Modern), Era::Legacy, 2).await;
    check(&["exit-on-discover"], Some(Era::Legacy), Era::Legacy, 1).await;
    check(&["banner"], None, Era::Legacy, 1).await;
}

#[tokio::test]
async fn what_can_never_start_is_an_invalid_request_that_says_why() {
    let folder = Folder::new();
    let file = |name: &str, text: &str, mode: u32| {
        std::fs::write(folder.path(name), text).expect("writable");
        let permissions = PermissionsExt::from_mode(mode);
        std::fs::set_permissions(folder.path(name), permissions).expect("ours");
        folder.path(name)
    };
    let plain = file("plain", "no program", 0o644);
    let orphan = file("orphan", "#!/no/such/interpreter\n", 0o755);
    let check = async |command: Command, expected: &[&str]| {
        let error = refusal(&transport(), command).await;
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error:?}");
        for part in expected {
            assert!(error.message().contains(part), "{error}");
        }
    };
    let program = |program: &str| Command { program: program.to_owned(), ..Command::default() };
    check(program(""), &["empty"]).await;
    check(program("no-such-program-x"), &["no-such-program-x", "PATH"]).await;
    check(program("/no/such/file"), &["/no/such/file", "no such file"]).await;
    check(program(&plain), &[&plain, "chmod"]).await;
    check(program(&orphan), &["interpreter"]).await;
    check(Command { cwd: Some("/no/such/folder".into()), ..shell("true") }, &["/no/such/folder"]).await;
    check(Command { args: vec!["a\0b".into()], ..program("true") }, &["arguments"]).await;
    let env = BTreeMap::from([("A=B".to_owned(), Secret::new("x"))]);
    check(Command { env, ..program("true") }, &["variable"]).await;

    let url = Url { url: "http://127.0.0.1/".into(), ..Url::default() };
    let mut connect = connecting(shell("true"), &Arc::default());
    connect.spec = Arc::new(ServerSpec::new("odd", "stdio", Endpoint::Url(url)).expect("a valid spec"));
    let error = transport().connect(connect).await.expect_err("no command");
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
}

#[tokio::test]
async fn a_failed_start_harms_no_later_one() {
    let transport = transport();
    for _ in 0..3 {
        let error = refusal(&transport, shell("exec /no/such/program")).await;
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().contains("exit status 127"), "{error}");
        let program = "no-such-program-x".to_owned();
        refusal(&transport, Command { program, ..Command::default() }).await;
    }
    let upstream = open(&transport, odd(&[])).await;
    within(upstream.close()).await;
    within(transport.drained()).await;
}

#[tokio::test]
async fn environment_and_folder_are_as_told() {
    let folder = Folder::new();
    let look = async |clean_env: bool| {
        let env = BTreeMap::from([("TOLD".to_owned(), Secret::new("you so"))]);
        let command = Command { env, cwd: Some(folder.0.clone()), clean_env, ..odd(&[]) };
        let upstream = open(&transport(), command).await;
        let seen = ask(&upstream, "look", "{}").await.expect("an answer");
        let seen: serde_json::Value = seen.read().expect("JSON");
        assert_eq!(seen["cwd"], folder.0.to_str().expect("UTF-8"));
        assert_eq!(seen["env"]["TOLD"], "you so");
        assert_eq!(seen["env"]["PATH"], std::env::var("PATH").expect("set"));
        within(upstream.close()).await;
        seen["env"].as_object().expect("an object").clone()
    };
    // Cargo sets this one for every test.
    assert!(look(false).await.contains_key("CARGO_MANIFEST_DIR"));
    let known = ["PATH", "HOME", "LANG", "TMPDIR", "USER", "TOLD", "LC_CTYPE", "PWD"];
    for name in look(true).await.keys() {
        assert!(known.contains(&name.as_str()), "{name} is in a clean environment");
    }
}

#[tokio::test]
async fn last_words_are_told_without_secrets() {
    let check = async |flags: &[&str], kind: ErrorKind, expected: &[&str]| {
        let env = BTreeMap::from([("TOKEN".to_owned(), Secret::new("hush-hush"))]);
        let heard = Arc::<Heard>::default();
        let connect = connecting(Command { env, ..odd(flags) }, &heard);
        let error = within(transport().connect(connect)).await.expect_err("it does not connect");
        assert_eq!(error.kind(), kind, "{error:?}");
        // Who looks after the server reads them line by line.
        let wrote = heard.wrote.lock().expect("no panic").join("\n");
        assert!(wrote.contains("***") && !wrote.contains("hush"), "{wrote}");
        for part in expected {
            assert!(error.message().contains(part), "{error}");
        }
        assert!(!format!("{error:?}").contains("hush"), "{error:?}");
    };
    let crash = ["exit status 1", "warming up", "ValueError: bad token ***"];
    check(&["crash"], ErrorKind::Unavailable, &crash).await;
    check(&["refuse-all"], ErrorKind::UpstreamFailed, &["-32600", "complaint about ***"]).await;
}
