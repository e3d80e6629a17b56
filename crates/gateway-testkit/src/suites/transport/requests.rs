//! Requests and their answers.

use futures_util::future::join_all;
use gateway_core::{ErrorKind, RawJson, TraceContext, UpstreamRequest};

use super::TransportCase;
use super::link::{Extras, Link, eventually, json, numbered, soon, text_of};
use crate::reference::ODD_RESULT;
use crate::suite::{Verdict, ensure, ensure_eq};

pub(super) async fn a_result_is_returned_byte_for_byte(case: TransportCase) -> Verdict {
    for arguments in [[].as_slice(), &["--sse"]] {
        odd_survives(&case.open(arguments).await?).await?;
    }
    Ok(())
}

pub(super) async fn a_modern_result_is_returned_byte_for_byte(case: TransportCase) -> Verdict {
    odd_survives(&case.open(&["--era", "modern"]).await?).await
}

async fn odd_survives(link: &Link) -> Verdict {
    let result = link.call("odd", "{}").await.map_err(|error| format!("odd failed: {error:?}"))?;
    ensure_eq!(result.as_str(), ODD_RESULT, "the result");
    Ok(())
}

pub(super) async fn params_reach_the_server_as_they_are(case: TransportCase) -> Verdict {
    for era in ["legacy", "modern"] {
        let link = case.open(&["--era", era]).await?;
        // The server copies the string as it is spelled.
        for spelling in [r#""caf\u00e9 \/ \ud83d\ude00""#, r#""é\t☃""#, r#""""#] {
            let arguments = format!(r#"{{"also":[1.50e+3,{{"b":1,"a":2}}],"text":{spelling}}}"#);
            let result = link.call("echo", &arguments).await.map_err(|error| format!("echo failed: {error:?}"))?;
            ensure!(result.as_str().contains(spelling), "{era}: {spelling} became {}", result.as_str());
        }
    }
    Ok(())
}

/// In `_meta` (SEP-414), in place of what the caller's own `_meta` says of a trace; all else in it stays.
pub(super) async fn the_place_in_a_trace_reaches_the_server(case: TransportCase) -> Verdict {
    const PLACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let place = TraceContext::parse(PLACE, Some("vendor=1")).ok_or("that is a place")?;
    for era in ["legacy", "modern"] {
        let link = case.open(&["--era", era]).await?;
        for trace in [None, Some(&place)] {
            let own = r#"{"traceparent":"theirs","tracestate":"t=1","example.com/n":[1]}"#;
            let params = json(format!(r#"{{"name":"params","arguments":{{}},"_meta":{own}}}"#));
            let request = UpstreamRequest { trace: trace.cloned(), ..UpstreamRequest::new("tools/call", params) };
            let result = soon("the params", link.upstream.request(request)).await?;
            let text = text_of(&result.map_err(|error| format!("params failed: {error:?}"))?)?;
            let seen: serde_json::Value = serde_json::from_str(&text).map_err(|error| format!("{text}: {error}"))?;
            let said = |key: &str| seen["_meta"][key].as_str().unwrap_or_default().to_owned();
            let expected = trace.map_or(("theirs", "t=1"), |_| (PLACE, "vendor=1"));
            ensure_eq!(said("traceparent"), expected.0, "{era}: traceparent");
            ensure_eq!(said("tracestate"), expected.1, "{era}: tracestate");
            ensure!(text.contains(r#""example.com/n":[1]"#), "{era}: the rest of `_meta` became {text}");
        }
    }
    Ok(())
}

pub(super) async fn each_answer_reaches_its_own_caller(case: TransportCase) -> Verdict {
    for era in ["legacy", "modern"] {
        let link = case.open(&["--era", era]).await?;
        let link = &link;
        let calls = (0..200).map(|number| async move {
            // The pauses make the answers come in another order.
            let arguments = numbered("call", number, (number * 7) % 50);
            (number, link.text("echo", &arguments).await)
        });
        for (number, answer) in soon("200 calls", join_all(calls)).await? {
            ensure_eq!(answer?, format!("call {number}"), "{era}: the answer to call {number}");
        }
    }
    Ok(())
}

pub(super) async fn requests_run_side_by_side(case: TransportCase) -> Verdict {
    let link = case.open(&[]).await?;
    let hanging = [link.start("hang").await?, link.start("hang").await?];
    ensure_eq!(link.text("echo", r#"{"text":"past"}"#).await?, "past", "an answer while others wait");
    for mut call in hanging {
        ensure!(!call.has_ended(), "a request that is never answered has ended");
    }
    Ok(())
}

pub(super) async fn a_tool_that_fails_is_a_result(case: TransportCase) -> Verdict {
    let link = case.open(&[]).await?;
    let result = link.call("fail", r#"{"text":"no luck"}"#).await.map_err(|error| format!("fail failed: {error:?}"))?;
    ensure_eq!(text_of(&result)?, "no luck", "the text");
    ensure!(result.as_str().contains(r#""isError":true"#), "the result is {}", result.as_str());
    Ok(())
}

pub(super) async fn a_json_rpc_error_is_upstream_failed_with_its_object(case: TransportCase) -> Verdict {
    for era in ["legacy", "modern"] {
        let link = case.open(&["--era", era]).await?;
        let arguments = r#"{"code":-32050,"message":"the tea is cold","data":{"z":1.50e+3,"a":[ ]}}"#;
        let Err(error) = link.call("rpc_error", arguments).await else {
            return Err(format!("{era}: a JSON-RPC error became a result"));
        };
        ensure_eq!(error.kind(), ErrorKind::UpstreamFailed, "{era}: the kind");
        let expected = r#"{"code":-32050,"message":"the tea is cold","data":{"z":1.50e+3,"a":[ ]}}"#;
        ensure_eq!(error.details().map(RawJson::as_str), Some(expected), "{era}: the details");
    }
    Ok(())
}

pub(super) async fn wrong_arguments_are_invalid_arguments(case: TransportCase) -> Verdict {
    for era in ["legacy", "modern"] {
        let link = case.open(&["--era", era]).await?;
        let Err(error) = link.call("echo", r#"{"text":7}"#).await else {
            return Err(format!("{era}: -32602 became a result"));
        };
        ensure_eq!(error.kind(), ErrorKind::InvalidArguments, "{era}: the kind");
        let details = error.details().map(|details| details.as_str().to_owned()).unwrap_or_default();
        ensure!(details.contains("-32602"), "{era}: the details are {details}");
    }
    Ok(())
}

pub(super) async fn an_unknown_method_is_upstream_failed(case: TransportCase) -> Verdict {
    for era in ["legacy", "modern"] {
        let link = case.open(&["--era", era]).await?;
        let Err(error) = link.upstream.request(UpstreamRequest::new("no/such", json("{}"))).await else {
            return Err(format!("{era}: an unknown method has a result"));
        };
        ensure_eq!(error.kind(), ErrorKind::UpstreamFailed, "{era}: the kind");
        let details = error.details().map(|details| details.as_str().to_owned()).unwrap_or_default();
        ensure!(details.contains("-32601"), "{era}: the details are {details}");
        // The server is fine, and so must be the connection.
        link.text("echo", r#"{"text":"x"}"#).await?;
    }
    Ok(())
}

pub(super) async fn a_dropped_request_is_cancelled_at_the_server(case: TransportCase) -> Verdict {
    dropped_is_cancelled(&case.open(&[]).await?).await
}

pub(super) async fn a_dropped_modern_request_is_cancelled_at_the_server(case: TransportCase) -> Verdict {
    dropped_is_cancelled(&case.open(&["--era", "modern"]).await?).await
}

async fn dropped_is_cancelled(link: &Link) -> Verdict {
    let (dropped, mut kept) = (link.start("hang").await?, link.start("hang").await?);
    drop(dropped);
    eventually("the dropped request is cancelled at the server", || async {
        let counts = link.counts().await?;
        ensure!(counts.cancelled <= 1, "another request was cancelled too");
        Ok(counts.cancelled == 1 && counts.running == 1)
    })
    .await?;
    ensure!(!kept.has_ended(), "the other request has ended");
    Ok(())
}

pub(super) async fn the_connection_stays_good_after_a_cancelled_request(case: TransportCase) -> Verdict {
    for era in ["legacy", "modern"] {
        let link = case.open(&["--era", era]).await?;
        for number in 0..30 {
            {
                let late = link.call("slow", r#"{"ms":5}"#);
                // Some are dropped before, some about when, some after the answer comes.
                let patience = std::time::Duration::from_micros(number * 300);
                let _ = tokio::time::timeout(patience, late).await;
            }
            let text =
                soon("a call after a dropped one", link.text("echo", &numbered("next", number as usize, 0))).await??;
            ensure_eq!(text, format!("next {number}"), "{era}: the answer after a dropped request");
        }
    }
    Ok(())
}

pub(super) async fn a_result_of_20_mib_arrives_whole(case: TransportCase) -> Verdict {
    let bytes = 20 * 1024 * 1024;
    for arguments in [[].as_slice(), &["--sse"]] {
        let link = case.open(arguments).await?;
        let result = soon("20 MiB", link.call("big", &format!(r#"{{"bytes":{bytes}}}"#))).await?;
        let result = result.map_err(|error| format!("big failed: {error:?}"))?;
        ensure_eq!(result.as_bytes().len(), bytes, "{arguments:?}: the result's size");
        ensure!(
            result.as_str().ends_with(r#"xxx"}],"isError":false}"#),
            "{arguments:?}: the result's end is another one"
        );
    }
    Ok(())
}

pub(super) async fn a_message_beyond_the_limit_is_an_error(case: TransportCase) -> Verdict {
    for arguments in [[].as_slice(), &["--sse"]] {
        let extras = Extras { max_message_bytes: Some(100_000), ..Extras::default() };
        let link = case.open_with(arguments, extras).await?;
        let fits =
            link.call("big", r#"{"bytes":90000}"#).await.map_err(|error| format!("what fits failed: {error:?}"))?;
        ensure_eq!(fits.as_bytes().len(), 90_000, "{arguments:?}: what fits");
        match soon("a message beyond the limit", link.call("big", r#"{"bytes":2000000}"#)).await? {
            Ok(_) => return Err(format!("{arguments:?}: 2,000,000 bytes passed a limit of 100,000")),
            Err(error) => {
                let kinds = [ErrorKind::TooLarge, ErrorKind::UpstreamFailed, ErrorKind::Unavailable];
                ensure!(kinds.contains(&error.kind()), "{arguments:?}: the error is {error:?}");
            }
        }
    }
    Ok(())
}
