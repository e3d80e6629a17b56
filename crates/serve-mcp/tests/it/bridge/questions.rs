//! What a server asks its client in the middle of a request.

use std::collections::BTreeSet;

use gateway_core::Era;

use super::{Except, Feature, table};
use crate::client::{Ask, Client};
use crate::told::Told;
use crate::wire::{Message, quote};

table! {
    sampling => Feature::new(
        |client, _| Box::pin(async move { asked_once(&client.call("test_sampling", r#"{"prompt":"caf\u00e9?"}"#).await) }),
        concat!(
            r#"sampling/createMessage {"messages":[{"role":"user","content":{"type":"text","text":"café?"}}],"maxTokens":100}"#,
            " -> LLM response: Paris",
        ),
    );
    a_form_arrives_unchanged => Feature::new(
        |client, _| Box::pin(async move { asked_once(&client.call("test_elicitation_sep1330_enums", "{}").await) }),
        FORM,
    );
    what_the_user_makes_of_a_form => Feature::new(
        |client, _| Box::pin(async move {
            let mut seen = Vec::new();
            for answer in [r#"{"action":"accept","content":{"n":1.5,"a":["x"]}}"#, r#"{"action":"decline"}"#, r#"{"action":"cancel"}"#] {
                client.answers(move |_, _| Ok(answer.to_owned()));
                seen.push(client.text("test_elicitation", r#"{"message":"hello"}"#).await);
            }
            seen.join("; ")
        }),
        concat!(
            r#"User response: action=accept, content={"a":["x"],"n":1.5}; "#,
            "User response: action=decline, content=null; User response: action=cancel, content=null",
        ),
    );
    a_url_for_the_user => Feature::new(
        |client, _| Box::pin(async move {
            let params = r#"{"mode":"url","message":"Pay","url":"https://x.example/\u00e9","elicitationId":"e-1","x-new":1.50}"#;
            client.answers(|_, _| Ok(r#"{"action":"accept","x-new":1.50}"#.to_owned()));
            asked_once(&asks(&client, "elicitation/create", params).await)
        }),
        concat!(
            r#"elicitation/create {"mode":"url","message":"Pay","url":"https://x.example/\u00e9","elicitationId":"e-1","x-new":1.50}"#,
            r#" -> {"result":{"action":"accept","x-new":1.50}}"#,
        ),
    );
    roots => Feature::new(
        |client, _| Box::pin(async move { asked_once(&client.call("test_input_required_result_list_roots", "{}").await) }),
        r#"roots/list {} -> The client's roots: [{"name":"r","uri":"file:///r"}]"#,
    );
    several_questions => Feature::new(
        |client, _| Box::pin(async move {
            let told = client.call("test_input_required_result_multiple_inputs", "{}").await;
            let methods: BTreeSet<_> = told.questions().filter_map(|question| question.method.clone()).collect();
            format!("{methods:?} -> {}", told.text())
        }),
        concat!(
            r#"{"elicitation/create", "roots/list", "sampling/createMessage"}"#,
            r#" -> Paris Ann, roots: [{"name":"r","uri":"file:///r"}]"#,
        ),
    );
    several_rounds => Feature::new(
        |client, _| Box::pin(async move {
            let told = client.call("test_input_required_result_multi_round", "{}").await;
            format!("{} questions -> {}", told.questions().count(), told.text())
        }),
        "2 questions -> Ann likes red",
    );
    a_prompt_that_asks => Feature::new(
        |client, _| Box::pin(async move {
            let told = client.ask(Ask::new("prompts/get", r#"{"name":"test_input_required_result_prompt"}"#)).await;
            format!("{} -> {}", told.questions().count(), told.member("messages"))
        }),
        r#"1 -> [{"role":"user","content":{"type":"text","text":"The context is: tests"}}]"#,
    );
    progress_before_a_question => Feature::new(
        |client, _| Box::pin(async move {
            let told = client.ask(Ask::tool("test_streaming_elicitation", "{}").with_progress()).await;
            let kind = |message: &Message| message.method.clone().unwrap_or_default();
            let before: Vec<_> = told.before.iter().take_while(|message| message.id.is_none()).map(kind).collect();
            format!("{before:?} -> {}", told.text())
        }),
        r#"["notifications/progress"] -> confirmed"#,
    );
    state_that_the_client_carries => Feature::new(
        |client, _| Box::pin(async move { client.text("test_input_required_result_request_state", "{}").await }),
        "state-ok",
    );
    a_question_that_nobody_passes_on => Feature {
        observe: |client, _| Box::pin(async move {
            client.answers(|_, _| Ok(r#"{"x":1.0}"#.to_owned()));
            let told = asks(&client, "x/unheard-of", "{}").await;
            match told.outcome.clone() {
                Some(Ok(_)) => told.text(),
                _ => told.error()["message"].to_string(),
            }
        }),
        expected: r#"{"error":{"code":-32601,"message":"the gateway passes no such question on"}}"#,
        except: &[
            Except {
                client: Some(Era::Modern),
                server: Some(Era::Modern),
                expected: r#"{"result":{"x":1.0}}"#,
                why: "a modern client sees what a modern server wants, and may know what the gateway does not",
            },
            Except {
                client: Some(Era::Legacy),
                server: Some(Era::Modern),
                expected: r#""the gateway passes no such question on""#,
                why: "a modern server cannot be told that a question has no answer: the request fails instead",
            },
        ],
    };
}

const FORM: &str = concat!(
    r#"elicitation/create {"message":"Please select options from the enum fields","requestedSchema":"#,
    r#"{"type":"object","properties":{"untitledSingle":{"type":"string","description":"Select one option","#,
    r#""enum":["option1","option2","option3"]},"titledSingle":{"type":"string","description":"Select one option with titles","#,
    r#""oneOf":[{"const":"value1","title":"First Option"},{"const":"value2","title":"Second Option"},{"const":"value3","title":"Third Option"}]},"#,
    r#""legacyEnum":{"type":"string","description":"Select one option (legacy)","enum":["opt1","opt2","opt3"],"#,
    r#""enumNames":["Option One","Option Two","Option Three"]},"untitledMulti":{"type":"array","description":"Select multiple options","#,
    r#""minItems":1,"maxItems":3,"items":{"type":"string","enum":["option1","option2","option3"]}},"#,
    r#""titledMulti":{"type":"array","description":"Select multiple options with titles","minItems":1,"maxItems":3,"#,
    r#""items":{"anyOf":[{"const":"value1","title":"First Choice"},{"const":"value2","title":"Second Choice"},{"const":"value3","title":"Third Choice"}]}}},"required":[]}}"#,
    r#" -> Elicitation completed: action=accept, content={"color":"red","context":"tests","email":"e@x","name":"Ann","ok":true,"username":"u"}"#,
);

/// Lets the server `demo` ask something.
async fn asks(client: &Client, method: &str, params: &str) -> Told {
    client.call("ask", &format!(r#"{{"method":{},"params":{params}}}"#, quote(method))).await
}

/// The one question of a call, as it came, and the text of its result.
fn asked_once(told: &Told) -> String {
    let questions: Vec<_> = told.questions().map(|asked| (asked.method.as_deref().unwrap(), &*asked.params)).collect();
    let [(method, params)] = questions.as_slice() else { panic!("not one question: {told:?}") };
    format!("{method} {params} -> {}", told.text())
}

/// A client that can do less is not asked for more.
mod without_capability {
    use super::*;
    use crate::rig::{Rig, Setup, Wire, fixture};

    /// Calls `tool` as a client with `capabilities`, all ways. Every entry: the client's era, the server's era
    /// and what is observed.
    async fn check(capabilities: &str, tool: &str, expected: [(Era, Era, &str); 4]) {
        let mut wrong = Vec::new();
        for (server, behind) in
            [Era::Legacy, Era::Modern].into_iter().flat_map(|era| [(era, Wire::Http), (era, Wire::Stdio)])
        {
            let rig = Rig::new(Setup { servers: vec![(behind, fixture("fixture", server))], ..Setup::default() }).await;
            for (era, _, expected) in expected.iter().filter(|(_, of, _)| *of == server) {
                for door in [Wire::Http, Wire::Stdio] {
                    let client = Client::with(&rig, *era, door, capabilities).await;
                    let told = client.call(tool, "{}").await;
                    let asked: Vec<_> = told.questions().filter_map(|question| question.method.clone()).collect();
                    let outcome = match &told.outcome {
                        Some(Ok(_)) => told.text(),
                        _ => told.error().to_string(),
                    };
                    let seen = format!("{asked:?} {outcome}");
                    if seen != *expected {
                        wrong.push(format!("{era:?} client over {door:?}, {server:?} server over {behind:?}: {seen}"));
                    }
                }
            }
            rig.close().await;
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// A legacy server heard once what the gateway's clients can; it learns of this client when it asks.
    const REFUSED: &str = concat!(
        r#"[] the client did not answer elicitation/create: {"code":-32601,"#,
        r#""message":"the client did not declare `elicitation`"}"#,
    );

    #[tokio::test]
    async fn a_server_that_can_do_with_less() {
        let sampled = r#"["sampling/createMessage"] answers: {"sample":{"content":{"text":"Paris","type":"text"},"model":"m","role":"assistant","stopReason":"endTurn"}}"#;
        let expected = [
            (Era::Legacy, Era::Legacy, REFUSED),
            (Era::Modern, Era::Legacy, REFUSED),
            (Era::Legacy, Era::Modern, sampled),
            (Era::Modern, Era::Modern, sampled),
        ];
        check(r#"{"sampling":{}}"#, "test_input_required_result_capabilities", expected).await;
    }

    #[tokio::test]
    async fn a_server_that_needs_more() {
        let missing = r#"[] {"code":-32021,"data":{"requiredCapabilities":{"elicitation":{}}},"message":"the client did not declare the capability elicitation"}"#;
        let expected = [
            (Era::Legacy, Era::Legacy, REFUSED),
            (Era::Modern, Era::Legacy, REFUSED),
            (Era::Legacy, Era::Modern, missing),
            (Era::Modern, Era::Modern, missing),
        ];
        check("{}", "test_input_required_result_elicitation", expected).await;
    }
}
