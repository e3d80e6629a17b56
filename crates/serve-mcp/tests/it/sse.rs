//! A reader of event streams that knows nothing of ours.

use axum::body::Body;
use http_body_util::BodyExt as _;

use crate::rig::in_time;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    pub id: Option<String>,
    pub retry: Option<String>,
    pub name: Option<String>,
    pub data: String,
    /// Whether the block had nothing but comments.
    pub is_comment: bool,
}

/// A stream of events. Dropping it is what a broken connection is.
#[derive(Debug)]
pub struct Events {
    body: Body,
    read: Vec<u8>,
}

impl Events {
    pub fn new(body: Body) -> Self {
        Self { body, read: Vec::new() }
    }

    /// The next event, comments left out; `None` at the end.
    pub async fn next(&mut self) -> Option<Event> {
        in_time("an event", self.next_forever()).await
    }

    /// The next block of lines, comments included.
    pub async fn next_block(&mut self) -> Option<Event> {
        in_time("a block", self.read_block()).await
    }

    /// The next event, however long it takes.
    pub async fn next_forever(&mut self) -> Option<Event> {
        loop {
            let event = self.read_block().await?;
            if !event.is_comment {
                return Some(event);
            }
        }
    }

    async fn read_block(&mut self) -> Option<Event> {
        loop {
            if let Some(end) = self.read.windows(2).position(|pair| pair == b"\n\n") {
                let block: Vec<u8> = self.read.drain(..end + 2).collect();
                return Some(parse(std::str::from_utf8(&block).unwrap()));
            }
            let Some(frame) = self.body.frame().await else {
                assert!(self.read.is_empty(), "the stream ends within an event");
                return None;
            };
            self.read.extend_from_slice(&frame.unwrap().into_data().unwrap());
        }
    }
}

fn parse(block: &str) -> Event {
    let mut event = Event { is_comment: true, ..Event::default() };
    let mut data: Vec<&str> = Vec::new();
    for line in block.lines().filter(|line| !line.is_empty()) {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" => continue,
            "id" => event.id = Some(value.to_owned()),
            "event" => event.name = Some(value.to_owned()),
            "retry" => event.retry = Some(value.to_owned()),
            "data" => data.push(value),
            other => panic!("an unknown field {other}"),
        }
        event.is_comment = false;
    }
    event.data = data.join("\n");
    event
}
