//! Models that do as they are told.

use std::collections::HashSet;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use gateway_core::{Error, ErrorKind, Result, Retry};
use router_openai::{ChatModel, ChatReply, ChatRequest, Usage};
use serde::Deserialize;
use serde_json::{Value, json};

type Answer = Pin<Box<dyn Future<Output = Result<ChatReply>> + Send>>;

/// Answers as a function says, and remembers what it was asked.
pub struct FakeModel {
    answer: Box<dyn Fn(usize, ChatRequest) -> Answer + Send + Sync>,
    asked: Mutex<Vec<ChatRequest>>,
}

/// The user message.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    pub request: String,
    pub candidates: Vec<Candidate>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    pub label: String,
    pub server: String,
    pub name: String,
    #[serde(default)]
    pub title: String,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub parameters: String,
}

impl FakeModel {
    /// `answer` hears how often it was asked before.
    pub fn new<F>(answer: impl Fn(usize, ChatRequest) -> F + Send + Sync + 'static) -> Arc<Self>
    where
        F: Future<Output = Result<ChatReply>> + Send + 'static,
    {
        let answer = move |count, request| Box::pin(answer(count, request)) as Answer;
        Arc::new(Self { answer: Box::new(answer), asked: Mutex::default() })
    }

    /// Says the same at all times.
    pub fn saying(text: impl Into<String>) -> Arc<Self> {
        let text = text.into();
        Self::new(move |_, _| std::future::ready(Ok(reply(&text))))
    }

    /// Names the candidates of these names, with their scores.
    pub fn naming(names: &'static [(&'static str, i64)]) -> Arc<Self> {
        Self::new(move |_, request| {
            let asked = Asked::of(&request);
            let named = names.iter().filter_map(|(name, score)| {
                let candidate = asked.candidates.iter().find(|candidate| candidate.name == *name)?;
                Some(json!({"label": candidate.label, "score": score, "reason": format!("it is {name}")}))
            });
            std::future::ready(Ok(reply(&json!({"matches": named.collect::<Vec<_>>()}).to_string())))
        })
    }

    /// Counts words, as a sensible model would.
    pub fn sensible() -> Arc<Self> {
        Self::new(|_, request| std::future::ready(Ok(reply(&sensible(&Asked::of(&request)).to_string()))))
    }

    /// Always fails.
    pub fn failing(kind: ErrorKind) -> Arc<Self> {
        Self::new(move |_, _| std::future::ready(Err(Error::new(kind, "fail as told"))))
    }

    /// Never answers.
    pub fn silent() -> Arc<Self> {
        Self::new(|_, _| std::future::pending())
    }

    pub fn asked(&self) -> Vec<ChatRequest> {
        self.asked.lock().expect("nothing panics under the lock").clone()
    }

    pub fn count(&self) -> usize {
        self.asked().len()
    }
}

#[async_trait]
impl ChatModel for FakeModel {
    fn name(&self) -> &str {
        "fake-model"
    }

    async fn complete(&self, request: &ChatRequest) -> Result<ChatReply> {
        let before = {
            let mut asked = self.asked.lock().expect("nothing panics under the lock");
            asked.push(request.clone());
            asked.len() - 1
        };
        (self.answer)(before, request.clone()).await
    }
}

impl fmt::Debug for FakeModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FakeModel")
    }
}

impl Asked {
    pub fn of(request: &ChatRequest) -> Self {
        serde_json::from_str(&request.user).expect("the user message is one JSON object")
    }
}

pub fn reply(text: &str) -> ChatReply {
    ChatReply { text: text.to_owned(), usage: Some(Usage { input_tokens: 80, output_tokens: 20 }) }
}

pub fn busy() -> Error {
    Error::new(ErrorKind::RateLimited, "come again").with_retry(Retry::Safe)
}

fn sensible(asked: &Asked) -> Value {
    let words = |text: &str| -> HashSet<String> {
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 2).map(str::to_lowercase).collect()
    };
    let wanted = words(&asked.request);
    let named = asked.candidates.iter().filter_map(|candidate| {
        let have = words(&format!("{} {}", candidate.name, candidate.description));
        let shared = wanted.intersection(&have).count();
        let score = 100 * shared / wanted.len().max(1);
        (shared > 0).then(|| json!({"label": candidate.label, "score": score, "reason": "shares\nwords"}))
    });
    json!({"matches": named.collect::<Vec<_>>()})
}
