//! Real connections to providers that misbehave: somebody always answers, in time, and nobody hears the key.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gateway_core::{ErrorKind, Index};
use router_openai::{ChatModel, OpenAiModel, OpenAiModelConfig, OpenAiRouterConfig};
use serde_json::json;
use tokio::net::TcpListener;

use crate::catalogue::{ask, assert_beneath_answered, index, places};
use crate::fake_api::{Answer, FakeApi};
use crate::log::Log;
use crate::protocols::{KEY, anthropic, anthropic_says, gemini, gemini_says, open_ai, open_ai_says};

/// Longer than any answer takes, however busy the machine is.
const LONG: Duration = Duration::from_secs(60);

fn config() -> OpenAiRouterConfig {
    OpenAiRouterConfig { timeout: LONG, failures_to_open: 0, ..OpenAiRouterConfig::default() }
}

/// Names every candidate, the last one first.
fn judgement(user: &str) -> String {
    let asked: serde_json::Value = serde_json::from_str(user).expect("a JSON object");
    let candidates = asked["candidates"].as_array().expect("candidates").iter().zip(1..);
    let matches: Vec<_> = candidates
        .map(|(candidate, place)| json!({"label": candidate["label"], "score": 10 * place, "reason": "as told"}))
        .collect();
    json!({ "matches": matches }).to_string()
}

#[tokio::test]
async fn each_provider_judges() {
    let api = FakeApi::answering(|_, request| {
        let text = |pointer: &str| request.body.pointer(pointer).and_then(|text| text.as_str()).unwrap_or_default();
        match &*request.target {
            "/v1/messages" => Answer::ok(&anthropic_says(&judgement(text("/messages/0/content")))),
            "/v1/chat/completions" => Answer::ok(&open_ai_says(&judgement(text("/messages/1/content")))),
            _ => Answer::ok(&gemini_says(&judgement(text("/contents/0/parts/0/text")))),
        }
    })
    .await;
    for index in [
        index(&Arc::new(open_ai(&api.url)), config()).await,
        index(&Arc::new(anthropic(&api.url)), config()).await,
        index(&Arc::new(gemini(&api.url)), config()).await,
    ] {
        let ranking = ask(&*index, "file").await;
        assert_eq!((places(&ranking), ranking.answered_by), (vec![4, 3, 2, 1, 0], None));
        assert_eq!(ranking.matches[0].reasoning, "as told");
    }
    assert_eq!(api.received().len(), 3);
}

/// Each provider against a server that answers so, within `timeout`.
async fn each<F: Future<Output = ()>>(
    answer: &Answer,
    timeout: Duration,
    check: impl Fn(Arc<dyn Index>, FakeApi) -> F,
) {
    let config = || OpenAiRouterConfig { timeout, ..config() };
    let api = FakeApi::start(vec![answer.clone()]).await;
    check(index(&Arc::new(open_ai(&api.url)), config()).await, api).await;
    let api = FakeApi::start(vec![answer.clone()]).await;
    check(index(&Arc::new(anthropic(&api.url)), config()).await, api).await;
    let api = FakeApi::start(vec![answer.clone()]).await;
    check(index(&Arc::new(gemini(&api.url)), config()).await, api).await;
}

#[tokio::test]
async fn a_provider_that_refuses_or_talks_nonsense_is_asked_once() {
    let (log, _guard) = Log::start();
    let error = json!({"error": {"message": format!("wrong key {KEY}"), "type": KEY, "code": KEY}});
    for answer in [
        Answer::status(401, &json!({})),
        Answer::status(403, &error),
        Answer::status(404, &error),
        Answer::Whole(307, "location: /elsewhere\r\n".to_owned(), "{}".to_owned()),
        Answer::Whole(429, "retry-after: 3600\r\n".to_owned(), error.to_string()),
        Answer::Whole(200, String::new(), "<html>".to_owned()),
        Answer::Whole(200, String::new(), String::new()),
        Answer::ok(&json!({"object": "a cat"})),
        Answer::ok(&json!([{}])),
        Answer::Floods,
    ] {
        each(&answer, LONG, |index, api| {
            let answer = &answer;
            async move {
                assert_beneath_answered(&ask(&*index, "file").await, "file").await;
                assert_eq!(api.received().len(), 1, "{answer:?}");
            }
        })
        .await;
    }
    assert!(log.text().contains("the router beneath answers"), "{}", log.text());
    assert!(!log.text().contains("hunter2"), "the key is in the log");
    assert!(!log.text().contains("Reads a file"), "what the model is shown is in the log");
}

#[tokio::test]
async fn a_provider_that_does_not_come_to_an_end_costs_the_time_that_is_set() {
    for answer in [Answer::Silence, Answer::Drips, Answer::Stops("{\"choices\":".to_owned())] {
        each(&answer, Duration::from_millis(300), |index, api| {
            let answer = &answer;
            async move {
                let _open = api;
                let start = Instant::now();
                assert_beneath_answered(&ask(&*index, "file").await, "file").await;
                let took = start.elapsed();
                assert!(took >= Duration::from_millis(300) && took < LONG / 2, "{answer:?}: {took:?}");
            }
        })
        .await;
    }
}

#[tokio::test]
async fn trouble_that_passes_is_waited_out() {
    let soon = |status| Answer::Whole(status, "retry-after: 0\r\n".to_owned(), "{}".to_owned());
    for first in [soon(429), soon(503), soon(500), Answer::Closes, Answer::Breaks("{\"choi".to_owned())] {
        let api = FakeApi::start(vec![first.clone(), Answer::ok(&open_ai_says(r#"{"matches":[]}"#))]).await;
        let ranking = ask(&*index(&Arc::new(open_ai(&api.url)), config()).await, "file").await;
        assert_eq!((ranking.answered_by, ranking.matches), (None, vec![]), "{first:?}");
        assert_eq!(api.received().len(), 2, "{first:?}");
    }
}

#[tokio::test]
async fn trouble_that_stays_has_an_end() {
    let config = || OpenAiRouterConfig { max_retries: 1, ..config() };
    let failing = Answer::Whole(500, String::new(), "oops".to_owned());
    for answer in [failing, Answer::Closes, Answer::Breaks("{\"choi".to_owned())] {
        let api = FakeApi::start(vec![answer.clone()]).await;
        let index = index(&Arc::new(open_ai(&api.url)), config()).await;
        assert_beneath_answered(&ask(&*index, "file").await, "file").await;
        assert_eq!(api.received().len(), 2, "{answer:?}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let thief = FakeApi::start(vec![Answer::ok(&json!({}))]).await;
    for status in [301, 302, 307, 308] {
        let location = format!("location: {}/v1/chat/completions\r\n", thief.url);
        let api = FakeApi::start(vec![Answer::Whole(status, location, "{}".to_owned())]).await;
        let index = index(&Arc::new(open_ai(&api.url)), config()).await;
        assert_beneath_answered(&ask(&*index, "file").await, "file").await;
        assert_eq!(api.received().len(), 1);
    }
    assert_eq!(thief.received().len(), 0);
}

#[tokio::test]
async fn a_wrong_key_is_told_once() {
    let (log, _guard) = Log::start();
    let error = json!({"error": {"message": format!("Incorrect API key provided: {KEY}"), "code": "invalid_api_key"}});
    let api = FakeApi::start(vec![Answer::status(401, &error)]).await;
    let index = index(&Arc::new(open_ai(&api.url)), config()).await;
    for number in 0..5 {
        ask(&*index, &format!("file {number}")).await;
    }
    assert_eq!(api.received().len(), 5);
    assert_eq!(log.warnings(), 1, "{}", log.text());
    assert!(log.text().contains("invalid_api_key") && !log.text().contains("hunter2"), "{}", log.text());
}

#[tokio::test]
async fn nobody_at_the_door_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let index = index(&Arc::new(open_ai(&url)), config()).await;
    assert_beneath_answered(&ask(&*index, "file").await, "file").await;
}

#[tokio::test]
async fn a_plug_that_is_pulled_leaves_an_answer() {
    let api = FakeApi::start(vec![Answer::Silence]).await;
    let index = index(&Arc::new(open_ai(&api.url)), config()).await;
    let search = ask(&*index, "file");
    let pull = async {
        while api.received().is_empty() {
            tokio::task::yield_now().await;
        }
        // Listener and connections end with it: further attempts find nobody.
        drop(api);
    };
    let (ranking, ()) = tokio::join!(search, pull);
    assert_beneath_answered(&ranking, "file").await;
}

#[tokio::test]
async fn a_search_that_goes_away_closes_its_connection() {
    use tokio::io::AsyncReadExt as _;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let index = index(&Arc::new(open_ai(&url)), OpenAiRouterConfig::default()).await;
    let mut searches = tokio::task::JoinSet::new();
    searches.spawn(async move { ask(&*index, "file").await });
    let (mut stream, _) = listener.accept().await.expect("a connection");
    let mut read = vec![0; 64 * 1024];
    assert!(stream.read(&mut read).await.expect("a request") > 0);
    searches.shutdown().await;
    while stream.read(&mut read).await.is_ok_and(|count| count > 0) {}
}

#[tokio::test]
async fn connections_are_used_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let config =
        OpenAiModelConfig::compatible(format!("http://{}", listener.local_addr().expect("an address")), "m", None);
    let model = OpenAiModel::new(config).expect("settings that can be used");
    let serve = async {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let (mut stream, _) = listener.accept().await.expect("the one connection");
        let mut read = vec![0; 64 * 1024];
        for _ in 0..3 {
            assert!(stream.read(&mut read).await.expect("a request") > 0);
            let body = open_ai_says("x").to_string();
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).await.expect("a client that reads");
        }
    };
    let ask = async {
        for _ in 0..3 {
            let schema = gateway_core::RawJson::empty_object();
            let request =
                router_openai::ChatRequest { system: "s", user: "u".to_owned(), schema, max_output_tokens: 1 };
            assert_eq!(model.complete(&request).await.expect("a reply").text, "x");
        }
    };
    tokio::join!(serve, ask);
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_the_end() {
    let api = FakeApi::start(vec![Answer::Floods]).await;
    let schema = gateway_core::RawJson::empty_object();
    let request = router_openai::ChatRequest { system: "s", user: "u".to_owned(), schema, max_output_tokens: 1 };
    let error = open_ai(&api.url).complete(&request).await.expect_err("it has no end");
    assert_eq!(error.kind(), ErrorKind::UpstreamFailed);
    assert!(error.message().contains("too large"), "{error}");
}
