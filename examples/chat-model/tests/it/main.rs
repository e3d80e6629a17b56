//! Models that are played, by both providers: what is sent, and what comes of it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use chat_model::{Access, Call, ChatModel, Conversation, Function, Functions, Message, ModelError, Provider};
use examples_testkit::{Answer, Api, Said, anthropic, open_ai};
use serde_json::{Value, json};

/// Both providers, played with the same script.
fn both(script: &[Said]) -> [(Provider, Api); 2] {
    [(Provider::OpenAi, open_ai(script.to_vec())), (Provider::Anthropic, anthropic(script.to_vec()))]
}

fn model(provider: Provider, api: &Api, key: &str) -> ChatModel {
    let base_url = match provider {
        Provider::OpenAi => format!("{}/v1/", api.url()),
        Provider::Anthropic => api.url(),
    };
    ChatModel::new(provider, Access { base_url, key: key.to_owned(), model: "m-1".to_owned() }).unwrap()
}

/// Adds numbers, and remembers what it was asked.
#[derive(Default)]
struct Adder(Vec<Value>);

impl Functions for Adder {
    fn declarations(&self) -> Vec<Function> {
        let numbers = json!({ "type": "array", "items": { "type": "number" } });
        let parameters = json!({ "type": "object", "properties": { "numbers": numbers }, "required": ["numbers"] });
        vec![Function { name: "add".to_owned(), description: "Adds numbers.".to_owned(), parameters }]
    }

    async fn call(&mut self, call: &Call) -> Result<String, String> {
        self.0.push(call.arguments.clone());
        let numbers = call.arguments["numbers"].as_array().ok_or("`numbers` is missing")?;
        Ok(numbers.iter().filter_map(Value::as_f64).sum::<f64>().to_string())
    }
}

#[tokio::test]
async fn functions_are_called_until_there_is_an_answer() {
    let calls = |numbers: &[&[i32]]| Said::Calls(numbers.iter().map(|it| ("add", json!({ "numbers": it }))).collect());
    let script =
        [calls(&[&[1, 2], &[3, 4]]), calls(&[&[3, 7]]), Said::Text("It is 10."), Said::Text("You're welcome.")];
    for (provider, api) in both(&script) {
        let model = model(provider, &api, "sk-test");
        let mut conversation = Conversation::new("You add.");
        let mut adder = Adder::default();
        conversation.say("What is 1 + 2 + 3 + 4?");
        assert_eq!(model.answer(&mut conversation, &mut adder).await.unwrap(), "It is 10.");
        assert_eq!(adder.0, [json!({ "numbers": [1, 2] }), json!({ "numbers": [3, 4] }), json!({ "numbers": [3, 7] })]);
        conversation.say("Thanks.");
        assert_eq!(model.answer(&mut conversation, &mut adder).await.unwrap(), "You're welcome.");

        let requests = api.requests();
        assert_eq!(requests.len(), 4, "{provider:?}");
        assert!(requests.iter().all(|request| request.body["model"] == "m-1"), "{provider:?}");
        // The results of both calls, where each provider wants them.
        let sent = &requests[1].body["messages"];
        let results: Vec<_> = match provider {
            Provider::OpenAi => {
                assert_eq!(sent[0], json!({ "role": "system", "content": "You add." }));
                sent.as_array().unwrap().iter().filter(|it| it["role"] == "tool").map(|it| &it["content"]).collect()
            }
            Provider::Anthropic => {
                assert_eq!(requests[1].body["system"], "You add.");
                sent[2]["content"].as_array().unwrap().iter().map(|part| &part["content"]).collect()
            }
        };
        assert_eq!(results, ["3", "7"], "{provider:?}");
    }
}

#[tokio::test]
async fn a_model_reads_what_it_did_wrong() {
    let script = [Said::Calls(vec![("subtract", json!({})), ("add", json!({ "numbers": "1" }))]), Said::Text("Sorry.")];
    for (provider, api) in both(&script) {
        let mut conversation = Conversation::new("");
        conversation.say("Go on.");
        let answer = model(provider, &api, "sk-test").answer(&mut conversation, &mut Adder::default()).await;
        assert_eq!(answer.unwrap(), "Sorry.");
        let Message::Results(results) = &conversation.messages[2] else { panic!("{conversation:?}") };
        assert_eq!(results[0].outcome, Err("there is no function `subtract`".to_owned()));
        assert_eq!(results[1].outcome, Err("`numbers` is missing".to_owned()));
        let sent = api.requests()[1].body.to_string();
        assert!(sent.contains("there is no function `subtract`"), "{provider:?}: {sent}");
        assert!(!sent.contains("\"system\""), "{provider:?}: an empty system prompt is left out: {sent}");
    }
}

#[tokio::test]
async fn arguments_that_are_no_json_are_missing() {
    let message = |arguments: &str| {
        let call = json!({ "id": "c", "type": "function", "function": { "name": "add", "arguments": arguments } });
        let message = json!({ "role": "assistant", "tool_calls": [call] });
        Said::Raw(json!({ "choices": [{ "message": message, "finish_reason": "tool_calls" }] }))
    };
    let api = open_ai(vec![message("{\"numbers\": [1"), message(""), Said::Text("I give up.")]);
    let mut conversation = Conversation::new("");
    conversation.say("Add.");
    let mut adder = Adder::default();
    let answer = model(Provider::OpenAi, &api, "sk-test").answer(&mut conversation, &mut adder).await;
    assert_eq!(answer.unwrap(), "I give up.");
    assert_eq!(adder.0, [Value::Null, json!({})]);
}

#[tokio::test]
async fn failures_say_what_to_do_and_the_conversation_goes_on() {
    let cases = [
        (Said::Failure(429, "slow down"), "429 (too many requests, or no credit is left): slow down"),
        (Said::Failure(404, "no such model"), "404 (is the model's name right?): no such model"),
        (Said::Failure(400, "bad"), "400 (it does not take the request): bad"),
        (Said::Failure(529, "overloaded"), "529 (it has trouble of its own; try again later): overloaded"),
        (Said::RawFailure(503, json!("busy")), "503 (it has trouble of its own; try again later): it does not say why"),
        (Said::Raw(json!({ "choices": [], "content": null })), "the answer is not one of the model's API"),
    ];
    for (said, expected) in cases {
        let calls = Said::Calls(vec![("add", json!({ "numbers": [1] }))]);
        for (provider, api) in both(&[calls, said.clone(), Said::Text("Here I am.")]) {
            let model = model(provider, &api, "sk-test");
            let mut conversation = Conversation::new("");
            conversation.say("Add.");
            let error = model.answer(&mut conversation, &mut Adder::default()).await.unwrap_err().to_string();
            assert!(error.contains(expected), "{provider:?}: {error}");
            // The real APIs would refuse a conversation that breaks off in the middle of a call.
            assert_eq!(conversation.messages.len(), 0);
            conversation.say("Again.");
            assert_eq!(model.answer(&mut conversation, &mut Adder::default()).await.unwrap(), "Here I am.");
        }
    }
}

#[tokio::test]
async fn a_wrong_key_and_an_api_that_is_none_are_told() {
    for (provider, api) in both(&[Said::Text("never said")]) {
        let error = model(provider, &api, "sk-wrong").turn(&asking(), &[]).await.unwrap_err();
        assert!(matches!(error, ModelError::Refused { status: 401, .. }), "{error}");
        assert!(error.to_string().contains("is the key right?"), "{error}");
        assert!(!format!("{:?}", model(provider, &api, "sk-secret")).contains("secret"));
    }
    let page = |status| Api::start(move |_| Answer::Text(status, "<html>a proxy</html>".to_owned()));
    for provider in [Provider::OpenAi, Provider::Anthropic] {
        let error = model(provider, &page(502), "sk-test").turn(&asking(), &[]).await.unwrap_err();
        assert!(matches!(error, ModelError::Refused { status: 502, .. }), "{error}");
        let error = model(provider, &page(200), "sk-test").turn(&asking(), &[]).await.unwrap_err();
        assert!(matches!(error, ModelError::Unexpected(_)), "{error}");
        let gone = page(200).url();
        let access = Access { base_url: gone, key: "sk-test".to_owned(), model: "m".to_owned() };
        let error = ChatModel::new(provider, access).unwrap().turn(&asking(), &[]).await.unwrap_err();
        assert!(error.to_string().contains("refused"), "{error}");
    }
}

#[tokio::test]
async fn what_ends_an_answer_early_is_told() {
    let open_ai_says =
        |reason: &str, message: Value| json!({ "choices": [{ "message": message, "finish_reason": reason }] });
    let text = json!({ "role": "assistant", "content": "So" });
    let anthropic_says = |reason: &str| json!({ "content": [{ "type": "text", "text": "So" }], "stop_reason": reason });
    let cases = [
        (open_ai(vec![Said::Raw(open_ai_says("length", text.clone()))]), Provider::OpenAi, "cut off"),
        (open_ai(vec![Said::Raw(open_ai_says("content_filter", text))]), Provider::OpenAi, "declined"),
        (
            open_ai(vec![Said::Raw(open_ai_says("stop", json!({ "role": "assistant", "refusal": "I won't" })))]),
            Provider::OpenAi,
            "declined: I won't",
        ),
        (anthropic(vec![Said::Raw(anthropic_says("max_tokens"))]), Provider::Anthropic, "cut off"),
        (anthropic(vec![Said::Raw(anthropic_says("refusal"))]), Provider::Anthropic, "declined"),
    ];
    for (api, provider, expected) in cases {
        let error = model(provider, &api, "sk-test").answer(&mut asking(), &mut Adder::default()).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    // Who limits an answer wants what there is of it.
    let api = anthropic(vec![Said::Raw(anthropic_says("max_tokens"))]);
    let limited = Conversation { max_tokens: Some(1), ..asking() };
    let turn = model(Provider::Anthropic, &api, "sk-test").turn(&limited, &[]).await.unwrap();
    assert_eq!((turn.text.as_str(), turn.is_cut_off), ("So", true));
    assert_eq!(api.requests()[0].body["max_tokens"], 1);
}

#[tokio::test]
async fn thinking_is_turned_off_where_the_api_wants_it() {
    let complaint = "Function tools with reasoning_effort are not supported; set reasoning_effort to 'none'.";
    let refused = json!({ "error": { "message": complaint, "param": "reasoning_effort", "code": null } });
    let refused = Said::RawFailure(400, refused);
    let api = open_ai(vec![refused.clone(), Said::Text("Well."), refused.clone(), refused]);
    let model = model(Provider::OpenAi, &api, "sk-test");
    assert_eq!(model.turn(&asking(), &[]).await.unwrap().text, "Well.");
    assert_eq!(model.turn(&asking(), &[]).await.unwrap_err().to_string().matches(complaint).count(), 1);
    let efforts: Vec<_> = api.requests().iter().map(|request| request.body["reasoning_effort"].clone()).collect();
    assert_eq!(efforts, [Value::Null, json!("none"), Value::Null, json!("none")]);
}

#[tokio::test]
async fn a_model_that_calls_for_ever_is_stopped() {
    let script = vec![Said::Calls(vec![("add", json!({ "numbers": [] }))]); 30];
    for (provider, api) in both(&script) {
        let mut conversation = asking();
        let error =
            model(provider, &api, "sk-test").answer(&mut conversation, &mut Adder::default()).await.unwrap_err();
        assert!(matches!(error, ModelError::TooManyRounds(20)), "{error}");
        assert_eq!(api.requests().len(), 20);
        assert_eq!(conversation.messages.len(), 0);
    }
}

fn asking() -> Conversation {
    let mut conversation = Conversation::new("");
    conversation.say("Well?");
    conversation
}
