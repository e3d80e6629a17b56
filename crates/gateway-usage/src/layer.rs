//! Counting calls.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gateway_core::{Call, Context, Error, ErrorKind, Invoke, Layer, RawJson, Result, UsageEventKind};
use tokio::time::Instant;

use crate::answer::{arguments, characters, is_tool_error, length};
use crate::period::Keys;
use crate::recorder::{Told, UsageRecorder, microseconds};
use crate::tally::{Measured, Outcome};

/// Counts every call of a tool, however it ends.
#[derive(Debug)]
pub(crate) struct UsageLayer {
    recorder: Arc<UsageRecorder>,
}

impl UsageLayer {
    pub(crate) fn new(recorder: Arc<UsageRecorder>) -> Self {
        Self { recorder }
    }
}

impl Layer for UsageLayer {
    fn layer(&self, inner: Arc<dyn Invoke>) -> Arc<dyn Invoke> {
        Arc::new(Counted { inner, recorder: Arc::clone(&self.recorder) })
    }
}

#[derive(Debug)]
struct Counted {
    inner: Arc<dyn Invoke>,
    recorder: Arc<UsageRecorder>,
}

#[async_trait]
impl Invoke for Counted {
    async fn invoke(&self, context: &Context, call: &Call) -> Result<RawJson> {
        if call.tool.is_none() {
            return self.inner.invoke(context, call).await;
        }
        let mut running = Running { recorder: &self.recorder, context, call, begun: Instant::now(), is_over: false };
        let answer = self.inner.invoke(context, call).await;
        running.end(&answer);
        answer
    }
}

/// A call under way. Counted when this is dropped, unless it has ended: its caller went away, then.
struct Running<'a> {
    recorder: &'a UsageRecorder,
    context: &'a Context,
    call: &'a Call,
    begun: Instant,
    is_over: bool,
}

impl Running<'_> {
    fn end(&mut self, answer: &Result<RawJson>) {
        self.is_over = true;
        match answer {
            Ok(result) if is_tool_error(result) => self.count(Outcome::ToolError, Some(result), None),
            Ok(result) => self.count(Outcome::Ok, Some(result), None),
            Err(error) => self.count(Outcome::of_error(error.kind()), None, Some(error)),
        }
    }

    fn count(&self, outcome: Outcome, result: Option<&RawJson>, error: Option<&Error>) {
        let Self { recorder, context, call, begun, .. } = *self;
        let took = begun.elapsed();
        let (request_bytes, sent) = arguments(call);
        let measured = Measured {
            outcome,
            request_bytes,
            response_bytes: result.map_or(0, |result| length(result.as_bytes().len())),
            characters: sent + result.map_or(0, characters),
            took_us: microseconds(took),
        };
        let keys = Keys {
            server: call.server.spec().name(),
            tool: call.tool.as_ref().map_or("", |tool| tool.name()),
            session: context.session_id().unwrap_or_default(),
            caller: &context.principal().id,
            door: context.door(),
        };
        let limits = &recorder.config().limits;
        recorder.count(|period, scratch| period.call(&keys, &measured, limits, scratch));
        recorder.tell(context, || told(&keys, &measured, error, took));
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            // The engine drops a call whose caller's own time is over, and says so to the caller.
            let is_late = self.context.deadline().is_some_and(|deadline| deadline <= Instant::now());
            let outcome = if is_late { Outcome::Error(ErrorKind::DeadlineExceeded) } else { Outcome::Cancelled };
            self.count(outcome, None, None);
        }
    }
}

fn told(keys: &Keys<'_>, measured: &Measured, error: Option<&Error>, took: Duration) -> Told {
    Told {
        what: UsageEventKind::Call {
            server: keys.server.into(),
            tool: keys.tool.into(),
            request_bytes: measured.request_bytes,
            response_bytes: measured.response_bytes,
        },
        outcome: measured.outcome.as_str(),
        error: error.map(|error| error.message().to_owned()),
        took,
    }
}
