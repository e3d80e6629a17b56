//! Calls of tools: results, errors, progress, logs, cancelling.

use gateway_core::Era;
use gateway_testkit::reference::ODD_RESULT;
use serde_json::Value;

use super::{Except, Feature, Noted, Way, table};
use crate::client::{Ask, Client, until};
use crate::rig::Wire;
use crate::wire::{member, members, without};

table! {
    a_text => Feature::new(
        |client, _| Box::pin(async move { visible(&client.call("echo", r#"{"text":"caf\u00e9 \ud83d\ude00"}"#).await.result()) }),
        r#"{"content":[{"type":"text","text":"caf\u00e9 \ud83d\ude00"}],"isError":false}"#,
    );
    a_tool_that_fails => Feature::new(
        |client, _| Box::pin(async move { visible(&client.call("fail", r#"{"text":"no"}"#).await.result()) }),
        r#"{"content":[{"type":"text","text":"no"}],"isError":true}"#,
    );
    an_error_of_the_server => Feature::new(
        |client, _| Box::pin(async move {
            let told = client.call("rpc_error", r#"{"code":-32050,"message":"no \"way\"","data":{"n":1.50e+3}}"#).await;
            told.outcome.unwrap().unwrap_err()
        }),
        r#"{"code":-32050,"message":"no \"way\"","data":{"n":1.50e+3}}"#,
    );
    a_url_to_open_first => Feature::new(
        |client, _| Box::pin(async move {
            let data = r#"{"elicitations":[{"mode":"url","elicitationId":"e1","url":"https://x.example/a","message":"Open"}]}"#;
            let arguments = format!(r#"{{"code":-32042,"message":"URL needed","data":{data}}}"#);
            client.call("rpc_error", &arguments).await.outcome.unwrap().unwrap_err()
        }),
        r#"{"code":-32042,"message":"URL needed","data":{"elicitations":[{"mode":"url","elicitationId":"e1","url":"https://x.example/a","message":"Open"}]}}"#,
    );
    every_kind_of_content => Feature { observe: odd, expected: "as it was sent, all of it", except: &[Except {
        client: Some(Era::Legacy),
        server: Some(Era::Modern),
        expected: "as it was sent, but for resultType",
        why: "a legacy client must not see resultType; what is between the other members goes with it",
    }] };
    images_sounds_and_resources => Feature::new(contents, CONTENTS);
    a_large_result => Feature::new(
        |client, _| Box::pin(async move {
            let told = client.call("big", r#"{"bytes":1048576}"#).await;
            let text = told.text();
            assert!(text.bytes().all(|byte| byte == b'x'));
            format!("{} of {}", visible(&told.result()).replace(&text, "x"), if text.len() > 1_048_400 { "all" } else { "some" })
        }),
        r#"{"content":[{"type":"text","text":"x"}],"isError":false} of all"#,
    );
    progress => Feature::new(progress_of, "1/5 2/5 3/5 4/5 5/5 then done");
    log_messages => Feature::new(logs, "[] [\"warning\"] [\"error\"] [\"info\", \"error\"]");
    what_meta_carries => Feature::new(
        |client, _| Box::pin(async move {
            let meta = r#""traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","tracestate":"a=1","x.example/n":1.50e+3"#;
            let params = client.ask(Ask::tool("params", "{}").meta(meta)).await.text();
            let meta = member(&params, "_meta").unwrap();
            ["traceparent", "tracestate", "x.example/n"].map(|name| member(&meta, name).unwrap_or_default()).join(" ")
        }),
        r#""00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" "a=1" 1.50e+3"#,
    );
    unknown_fields => Feature::new(
        |client, _| Box::pin(async move {
            let ask = Ask::new("tools/call", r#"{"x-new":{"b":1.0,"a":[ ]},"name":"params","arguments":{"z":1e2,"a":"\u00e9"},"task":null}"#);
            let params = client.ask(ask).await.text();
            ["name", "arguments", "x-new", "task"].map(|name| member(&params, name).unwrap_or_default()).join(" ")
        }),
        r#""params" {"z":1e2,"a":"\u00e9"} {"b":1.0,"a":[ ]} null"#,
    );
    cancelling => Feature::new(cancelling_one, "cancelled 1, the other still under way, then cancelled 2");
    a_client_that_goes_away => Feature::new(going_away, "cancelled");
}

/// A result without what only one era has.
fn visible(result: &str) -> String {
    without(result, "resultType")
}

fn odd(client: Client, way: Way) -> Noted {
    Box::pin(async move {
        let result = client.call("odd", "{}").await.result();
        if result == ODD_RESULT {
            return "as it was sent, all of it".to_owned();
        }
        let kept: Vec<_> = members(ODD_RESULT).into_iter().filter(|(name, _)| name != "resultType").collect();
        let is_kept = members(&result) == kept;
        if is_kept { "as it was sent, but for resultType".to_owned() } else { format!("{way:?}: {result}") }
    })
}

const CONTENTS: &str = concat!(
    r#"[{"type":"image","data":"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==","mimeType":"image/png"}] "#,
    r#"[{"type":"audio","data":"UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=","mimeType":"audio/wav"}] "#,
    r#"[{"type":"resource","resource":{"uri":"test://embedded-resource","mimeType":"text/plain","text":"This is an embedded resource content."}}]"#,
);

fn contents(client: Client, _: Way) -> Noted {
    Box::pin(async move {
        let mut seen = Vec::new();
        for tool in ["test_image_content", "test_audio_content", "test_embedded_resource"] {
            seen.push(client.call(tool, "{}").await.member("content"));
        }
        seen.join(" ")
    })
}

fn progress_of(client: Client, _: Way) -> Noted {
    Box::pin(async move {
        let told = client.ask(Ask::tool("progress", r#"{"steps":5}"#).with_progress()).await;
        let steps: Vec<String> = told
            .notified("notifications/progress")
            .iter()
            .map(|message| {
                let params: Value = serde_json::from_str(&message.params).unwrap();
                assert!(params["progressToken"].as_str().unwrap().starts_with("token "), "{params}");
                assert!(message.params.contains(r#""x-unknown":1.0"#), "{params}");
                assert_eq!(params["message"], format!("step {}", params["progress"]));
                format!("{}/{}", params["progress"], params["total"])
            })
            .collect();
        assert_eq!(told.before.len(), steps.len(), "{told:?}");
        // Whoever asks for none gets none.
        let silent = client.call("progress", r#"{"steps":5}"#).await;
        assert!(silent.before.is_empty(), "{silent:?}");
        format!("{} then {}", steps.join(" "), told.text())
    })
}

/// At first no level was asked for, then `warning`, then `error`, then `debug`.
fn logs(client: Client, _: Way) -> Noted {
    Box::pin(async move {
        let mut seen = Vec::new();
        for (level, says) in [
            (None, ["error"].as_slice()),
            (Some("warning"), &["info", "warning"]),
            (Some("error"), &["warning", "error"]),
            (Some("debug"), &["info", "error"]),
        ] {
            if let Some(level) = level {
                client.set_log_level(level).await;
            }
            let mut levels = Vec::new();
            for level in says {
                let told = client.call("log", &format!(r#"{{"level":"{level}","text":"t\u00e9"}}"#)).await;
                for message in told.notified("notifications/message") {
                    assert_eq!(member(&message.params, "data").unwrap(), r#""t\u00e9""#);
                    levels.push(crate::wire::unquote(&member(&message.params, "level").unwrap()));
                }
            }
            seen.push(format!("{levels:?}"));
        }
        seen.join(" ")
    })
}

/// How many requests the server `demo` has cancelled, and how many are under way.
async fn counts(client: &Client) -> (i64, i64) {
    let counts: Value = serde_json::from_str(&client.text("cancelled", "{}").await).unwrap();
    (counts["cancelled"].as_i64().unwrap(), counts["running"].as_i64().unwrap())
}

fn cancelling_one(client: Client, way: Way) -> Noted {
    Box::pin(async move {
        let (before, _) = counts(&client).await;
        let (first, first_task) = client.begin(Ask::tool("hang", "{}"));
        let (second, second_task) = client.begin(Ask::tool("hang", "{}"));
        until("both calls", async || counts(&client).await.1 == 2).await;
        let told = client.give_up(&first, first_task, way.door).await;
        assert!(told.is_none_or(|told| told.outcome.is_none()), "a call that was given up is answered");
        until("the first end", async || counts(&client).await.0 > before).await;
        let (cancelled, running) = counts(&client).await;
        let middle = if running == 1 && !second_task.is_finished() { "still under way" } else { "gone as well" };
        client.give_up(&second, second_task, way.door).await;
        until("the second end", async || counts(&client).await.1 == 0).await;
        let (both, _) = counts(&client).await;
        assert_eq!(client.text("echo", r#"{"text":"on"}"#).await, "on");
        format!("cancelled {}, the other {middle}, then cancelled {}", cancelled - before, both - before)
    })
}

/// Over HTTP the connection ends. Over stdio that would end other calls as well, so the client says it.
fn going_away(client: Client, way: Way) -> Noted {
    Box::pin(async move {
        let (before, _) = counts(&client).await;
        let (id, task) = client.begin(Ask::tool("hang", "{}"));
        until("the call", async || counts(&client).await.1 == 1).await;
        match way.door {
            Wire::Http => task.abort(),
            Wire::Stdio => drop(client.give_up(&id, task, way.door).await),
        }
        until("its end", async || counts(&client).await == (before + 1, 0)).await;
        "cancelled".to_owned()
    })
}
