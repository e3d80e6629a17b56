//! The end of a connection, wanted or not.

use std::sync::Arc;

use gateway_core::{Error, ErrorKind, RawJson, Retry};

use super::TransportCase;
use super::link::{Link, eventually, processes_named, soon};
use crate::suite::{Verdict, ensure, ensure_eq};

pub(super) async fn a_server_that_dies_fails_its_requests(case: TransportCase) -> Verdict {
    let link = case.open(&[]).await?;
    let waiting = link.start("hang").await?;
    let answer = soon("the call that kills the server", link.call("die", "{}")).await?;
    died("the call that kills the server", answer)?;
    died("a call under way when the server died", waiting.answer().await?)
}

fn died(what: &str, answer: Result<RawJson, Error>) -> Verdict {
    match answer {
        Err(error) if error.kind() == ErrorKind::UpstreamFailed && error.retry() == Retry::IfIdempotent => Ok(()),
        other => Err(format!("{what} must fail as UpstreamFailed, to be retried if idempotent; saw {other:?}")),
    }
}

pub(super) async fn after_a_death_requests_fail_at_once(case: TransportCase) -> Verdict {
    let link = case.open(&[]).await?;
    let dead = soon("the call that kills the server", link.call("die", "{}")).await?;
    ensure!(dead.is_err(), "the call that kills the server has a result");
    // A request that goes out while the connection breaks may have been received; soon none can be.
    eventually("requests fail as surely not received", || async {
        match soon("a request after the death", link.call("echo", r#"{"text":"x"}"#)).await? {
            Err(error) if error.kind() == ErrorKind::Unavailable => Ok(error.retry() == Retry::Safe),
            Err(error) if error.kind() == ErrorKind::UpstreamFailed && error.retry() == Retry::IfIdempotent => {
                Ok(false)
            }
            other => Err(format!("a request to a dead server has {other:?}")),
        }
    })
    .await?;
    ensure!(link.events.closed().len() <= 1, "`closed` was called {} times", link.events.closed().len());
    soon("close after the death", link.upstream.close()).await?;
    ensure!(link.events.closed().len() <= 1, "`closed` was called again by close");
    Ok(())
}

pub(super) async fn a_lost_session_is_safe_to_retry(case: TransportCase) -> Verdict {
    let link = case.open(&[]).await?;
    link.text("forget", "{}").await?;
    // Where there are no sessions, or the transport opens a new one by itself, it just works.
    match soon("a call in a lost session", link.call("echo", r#"{"text":"x"}"#)).await? {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::Unavailable && error.retry() == Retry::Safe => Ok(()),
        Err(error) => Err(format!("the server has refused the call unread; saw {error:?}, {:?}", error.retry())),
    }
}

pub(super) async fn close_ends_the_connection_and_its_process(case: TransportCase) -> Verdict {
    let link = case.open(&[]).await?;
    link.text("echo", r#"{"text":"x"}"#).await?;
    let id = link.upstream.info().process_id;
    soon("close", link.upstream.close()).await?;
    if let Some(id) = id {
        ensure!(!processes_named(&link.name).contains(&id), "process {id} is there after close");
    }
    ensure_eq!(link.events.closed().len(), 0, "calls of `closed`, which is for ends that nobody asked for");
    Ok(())
}

pub(super) async fn close_fails_requests_under_way(case: TransportCase) -> Verdict {
    let link = case.open(&[]).await?;
    let waiting = link.start("hang").await?;
    soon("close", link.upstream.close()).await?;
    match waiting.answer().await? {
        Err(error) => {
            let kinds = [ErrorKind::UpstreamFailed, ErrorKind::Unavailable, ErrorKind::Cancelled];
            ensure!(kinds.contains(&error.kind()), "the error is {error:?}");
            Ok(())
        }
        Ok(_) => Err("a request that was never answered has a result".to_owned()),
    }
}

pub(super) async fn close_may_be_called_twice(case: TransportCase) -> Verdict {
    let link = case.open(&[]).await?;
    let (first, second) = (Arc::clone(&link.upstream), Arc::clone(&link.upstream));
    let both = async { tokio::join!(first.close(), second.close()) };
    soon("two closes at once", both).await?;
    soon("a third close", link.upstream.close()).await
}

pub(super) async fn close_ends_a_server_that_will_not_go(case: TransportCase) -> Verdict {
    let link = case.open(&["--stubborn"]).await?;
    let id = link.upstream.info().process_id;
    soon("close", link.upstream.close()).await?;
    let Some(id) = id else { return Ok(()) };
    eventually("the stubborn process is gone", || async { Ok(!processes_named(&link.name).contains(&id)) }).await
}

pub(super) async fn requests_after_close_fail(case: TransportCase) -> Verdict {
    let link: Link = case.open(&[]).await?;
    soon("close", link.upstream.close()).await?;
    match soon("a request after close", link.call("echo", r#"{"text":"x"}"#)).await? {
        Err(error) if error.kind() == ErrorKind::Unavailable => Ok(()),
        other => Err(format!("a request after close must be Unavailable, saw {other:?}")),
    }
}
