//! Prompts, resources, completions.

use gateway_core::Era;

use super::{Except, Feature, table};
use crate::client::{Ask, Client};
use crate::wire::{member, members, unquote};

table! {
    prompts_are_listed => Feature::new(|client, _| Box::pin(async move {
        names(&client, "prompts/list", "prompts", "name").await
    }), "test_simple_prompt test_prompt_with_arguments test_prompt_with_embedded_resource test_prompt_with_image test_input_required_result_prompt");
    a_declaration_arrives_unchanged => Feature::new(|client, _| Box::pin(async move {
        let list = client.ask(Ask::new("tools/list", "{}")).await.member("tools");
        let tools: Vec<&serde_json::value::RawValue> = serde_json::from_str(&list).unwrap();
        tools.into_iter().find(|tool| member(tool.get(), "name").as_deref() == Some(r#""echo""#)).unwrap().get().to_owned()
    }), concat!(
        r#"{"x-unknown":{"keep":1.50e+3,"order":["b","a"]},"name":"echo","title":"Echo","description":"Returns the text that it is given.","#,
        r#""inputSchema":{"type":"object","required":["text"],"properties":{"text":{"type":"string","description":"What to say"},"ms":{"type":"integer"},"also":{}}},"#,
        r#""annotations":{"readOnlyHint":true,"x-hint":"kept"},"icons":[{"src":"data:image\/png;base64,AA=="}],"_meta":{"example.com/n":1e0}}"#,
    ));
    a_prompt_with_arguments => Feature::new(|client, _| Box::pin(async move {
        let ask = Ask::new("prompts/get", r#"{"name":"test_prompt_with_arguments","arguments":{"arg1":"caf\u00e9","arg2":"\"b\""}}"#);
        client.ask(ask).await.member("messages")
    }), r#"[{"role":"user","content":{"type":"text","text":"Prompt with arguments: arg1='café', arg2='\"b\"'"}}]"#);
    an_unknown_prompt => Feature::new(|client, _| Box::pin(async move {
        let error = client.ask(Ask::new("prompts/get", r#"{"name":"nobody's"}"#)).await.error();
        format!("{} {}", error["code"], error["data"]["kind"])
    }), r#"-32602 "not_found""#);
    a_prompt_without_its_arguments => Feature::new(|client, _| Box::pin(async move {
        client.ask(Ask::new("prompts/get", r#"{"name":"test_prompt_with_arguments"}"#)).await.error().to_string()
    }), r#"{"code":-32602,"message":"the argument `arg1` is missing"}"#);
    resources_are_listed => Feature::new(|client, _| Box::pin(async move {
        names(&client, "resources/list", "resources", "uri").await
    }), "test://static-text test://static-binary test://watched-resource");
    templates_are_listed => Feature::new(|client, _| Box::pin(async move {
        names(&client, "resources/templates/list", "resourceTemplates", "uriTemplate").await
    }), "test://template/{id}/data");
    resources_are_read => Feature::new(|client, _| Box::pin(async move {
        let mut seen = Vec::new();
        for uri in ["test://static-text", "test://template/7/data"] {
            seen.push(client.ask(Ask::new("resources/read", &format!(r#"{{"uri":"{uri}"}}"#))).await.member("contents"));
        }
        let blob = client.ask(Ask::new("resources/read", r#"{"uri":"test:\/\/static-binary"}"#)).await.member("contents");
        assert!(blob.contains(r#""blob":"iVBORw0KGgo"#), "{blob}");
        seen.join(" ")
    }), concat!(
        r#"[{"uri":"test://static-text","mimeType":"text/plain","text":"This is the content of the static text resource."}] "#,
        r#"[{"uri":"test://template/7/data","mimeType":"application/json","text":"{\"data\":\"Data for ID: 7\",\"id\":\"7\",\"templateTest\":true}"}]"#,
    ));
    a_resource_that_nobody_has => Feature {
        observe: |client, _| Box::pin(async move { unknown(&client, "test://nothing").await }),
        expected: r#"-32002 "test://nothing""#,
        except: &[Except {
            client: Some(Era::Modern),
            server: None,
            expected: r#"-32602 "test://nothing""#,
            why: "2026-07-28 gave the code -32002 up",
        }],
    };
    completions => Feature::new(|client, _| Box::pin(async move {
        let mut seen = Vec::new();
        for (reference, argument) in [
            (r#"{"type":"ref/prompt","name":"test_prompt_with_arguments"}"#, r#"{"name":"arg1","value":"par"}"#),
            (r#"{"type":"ref/resource","uri":"test://template/{id}/data"}"#, r#"{"name":"id","value":"12"}"#),
        ] {
            let params = format!(r#"{{"ref":{reference},"argument":{argument},"context":{{"arguments":{{"a":"b"}}}}}}"#);
            seen.push(client.ask(Ask::new("completion/complete", &params)).await.member("completion"));
        }
        seen.join(" ")
    }), concat!(
        r#"{"hasMore":false,"total":3,"values":["paris","park","party"]} "#,
        r#"{"hasMore":false,"total":2,"values":["12","123"]}"#,
    ));
    hints_for_caches => Feature {
        observe: |client, _| Box::pin(async move {
            let mut seen = Vec::new();
            for (method, params) in [
                ("tools/list", "{}"), ("prompts/list", "{}"), ("resources/list", "{}"),
                ("resources/templates/list", "{}"), ("resources/read", r#"{"uri":"test://static-text"}"#),
            ] {
                let result = client.ask(Ask::new(method, params)).await.result();
                let hints = members(&result).into_iter().map(|(name, _)| name);
                let mut hints: Vec<_> = hints.filter(|name| ["resultType", "ttlMs", "cacheScope"].contains(&&**name)).collect();
                hints.sort();
                seen.push(hints.len().to_string());
            }
            seen.join(" ")
        }),
        expected: "3 3 3 3 3",
        except: &[
            Except { client: Some(Era::Legacy), server: Some(Era::Legacy), expected: "0 0 0 0 0", why: "no legacy revision has them" },
            Except {
                client: Some(Era::Legacy),
                server: Some(Era::Modern),
                expected: "0 0 0 0 2",
                why: "what a modern server says of a resource's life is unknown to a legacy client and does no harm",
            },
        ],
    };
}

async fn names(client: &Client, method: &str, list: &str, key: &str) -> String {
    let list = client.ask(Ask::new(method, "{}")).await.member(list);
    let entries: Vec<&serde_json::value::RawValue> = serde_json::from_str(&list).unwrap();
    let names: Vec<_> = entries.into_iter().map(|entry| unquote(&member(entry.get(), key).unwrap())).collect();
    names.join(" ")
}

async fn unknown(client: &Client, uri: &str) -> String {
    let error = client.ask(Ask::new("resources/read", &format!(r#"{{"uri":"{uri}"}}"#))).await.error();
    format!("{} {}", error["code"], error["data"]["uri"])
}
