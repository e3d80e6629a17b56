//! From nothing to a connection.

use std::sync::Arc;
use std::time::Duration;

use gateway_core::{Connect, Era, ErrorKind, RawJson};

use super::TransportCase;
use super::link::{Extras, eventually, processes_named, soon};
use crate::fakes::RecordedEvents;
use crate::suite::{Verdict, ensure, ensure_eq};

pub(super) async fn connect_ends_the_handshake(case: TransportCase) -> Verdict {
    let link = case.open(&[]).await?;
    let info = link.upstream.info();
    ensure_eq!(info.era, Era::Legacy, "the era");
    ensure_eq!(info.protocol_version, "2025-11-25", "the revision");
    ensure_eq!(info.instructions.as_deref(), Some("Call the tools to see what a transport does."), "the instructions");
    ensure!(
        info.raw.as_str().starts_with(r#"{"x-unknown":1.0,"protocolVersion""#),
        "the result is {}",
        info.raw.as_str()
    );
    let capabilities = r#"{"tools":{"listChanged":true},"logging":{},"experimental":{"x":{"n":1e1}}}"#;
    ensure_eq!(info.capabilities.as_str(), capabilities, "the capabilities");
    let said = info.server_info.as_ref().map(RawJson::as_str).unwrap_or_default();
    ensure!(said.contains(&link.name), "the server's info is {said}");
    link.text("echo", r#"{"text":"first"}"#).await.map(drop)
}

pub(super) async fn connect_speaks_to_a_modern_server(case: TransportCase) -> Verdict {
    let link = case.open(&["--era", "modern"]).await?;
    let info = link.upstream.info();
    ensure_eq!((info.era, info.protocol_version.as_str()), (Era::Modern, "2026-07-28"), "era and revision");
    let said = info.server_info.as_ref().map(RawJson::as_str).unwrap_or_default();
    ensure!(said.contains(&link.name), "the server's info is {said}");
    link.text("echo", r#"{"text":"first"}"#).await.map(drop)
}

pub(super) async fn a_wrong_memory_of_the_era_does_no_harm(case: TransportCase) -> Verdict {
    for (arguments, remembered, expected) in [
        (["--era", "modern"], Era::Legacy, Era::Modern),
        (["--era", "legacy"], Era::Modern, Era::Legacy),
        (["--era", "modern"], Era::Modern, Era::Modern),
        (["--era", "legacy"], Era::Legacy, Era::Legacy),
    ] {
        let link = case.open_with(&arguments, Extras { remembered_era: Some(remembered), ..Extras::default() }).await?;
        ensure_eq!(link.upstream.info().era, expected, "{arguments:?} remembered as {remembered:?}");
        link.text("echo", r#"{"text":"x"}"#).await?;
    }
    Ok(())
}

pub(super) async fn a_server_that_is_not_there_is_an_error(case: TransportCase) -> Verdict {
    let connect = Connect {
        spec: Arc::new(case.unreachable.clone()),
        remembered_era: None,
        client_capabilities: RawJson::empty_object(),
        events: Arc::new(RecordedEvents::new()),
    };
    match soon("connect", case.transport.connect(connect)).await? {
        Ok(_) => Err("it connected to a server that is not there".to_owned()),
        Err(error) => {
            let kinds = [ErrorKind::Unavailable, ErrorKind::InvalidRequest];
            ensure!(kinds.contains(&error.kind()), "the error is {error:?}");
            Ok(())
        }
    }
}

pub(super) async fn a_dropped_connect_leaves_no_process(case: TransportCase) -> Verdict {
    let name = format!("hanging-{}", uuid::Uuid::new_v4().simple());
    let hanging = ["--hang-handshake", "--stderr", name.as_str()];
    let connecting = case.try_open(&hanging, Extras::default());
    match tokio::time::timeout(Duration::from_millis(500), connecting).await {
        Err(_) => {}
        Ok(Ok(_)) => return Err("connect succeeded although the server never answered".to_owned()),
        // A transport may have a limit of its own; it leaves nothing behind either.
        Ok(Err(_)) => {}
    }
    eventually("the server's process is gone", || async { Ok(processes_named(&name).is_empty()) }).await
}

pub(super) async fn a_server_that_ends_after_the_handshake_is_an_error(case: TransportCase) -> Verdict {
    let opened = soon("connect", case.try_open(&["--exit-after-handshake"], Extras::default())).await?;
    let Ok(link) = opened else { return Ok(()) };
    // Requests may succeed as long as the end has not come through.
    eventually("requests fail", || async {
        let answer = soon("a request to a server that is gone", link.call("echo", r#"{"text":"x"}"#)).await?;
        match answer {
            Ok(_) => Ok(false),
            Err(error) => {
                let kinds = [ErrorKind::Unavailable, ErrorKind::UpstreamFailed];
                ensure!(kinds.contains(&error.kind()), "the error is {error:?}");
                Ok(true)
            }
        }
    })
    .await
}

pub(super) async fn messages_that_are_none_are_passed_over(case: TransportCase) -> Verdict {
    let link = case.open(&["--noise", "--sse"]).await?;
    for number in 0..5 {
        let text = link.text("echo", &format!(r#"{{"text":"{number}"}}"#)).await?;
        ensure_eq!(text, number.to_string(), "the answer among noise");
    }
    Ok(())
}
