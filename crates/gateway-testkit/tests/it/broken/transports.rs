//! Transports with one fault each, put round one that works.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use gateway_core::{
    Command, Connect, Endpoint, Error, ErrorKind, Listener, RawJson, Result, Retry, ServerLimits, ServerSpec,
    Transport, Upstream, UpstreamInfo, UpstreamRequest,
};
use gateway_testkit::fakes::RecordedEvents;
use gateway_testkit::reference;
use gateway_testkit::suites::{self, Target, TransportCase};
use transport_stdio::{StdioConfig, StdioTransport};

use super::check;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    RewritesResults,
    RewritesParams,
    LosesTraces,
    SwapsAnswers,
    OneAtATime,
    LosesCancellation,
    LosesErrorObjects,
    LosesErrorKinds,
    LateProgress,
    SharesProgress,
    AlwaysAsksForProgress,
    WaitsForListeners,
    SwallowsEvents,
    DeathLooksSafe,
    IgnoresTheSizeLimit,
    CloseDoesNothing,
    ConnectGoesOn,
    ForgetsTheEra,
}

#[derive(Debug)]
struct Broken(Fault, Arc<StdioTransport>);

#[derive(Debug)]
struct BrokenUpstream {
    fault: Fault,
    inner: Arc<dyn Upstream>,
    events: Arc<dyn gateway_core::UpstreamEvents>,
    kept: Mutex<Option<RawJson>>,
    turn: tokio::sync::Mutex<()>,
    listeners: Mutex<Vec<Listener>>,
}

#[async_trait]
impl Transport for Broken {
    fn name(&self) -> &str {
        "broken"
    }

    async fn connect(&self, mut connect: Connect) -> Result<Arc<dyn Upstream>> {
        let events = Arc::clone(&connect.events);
        match self.0 {
            Fault::SwallowsEvents => connect.events = Arc::new(RecordedEvents::new()),
            Fault::IgnoresTheSizeLimit => {
                connect.spec = Arc::new((*connect.spec).clone().with_limits(ServerLimits::default()));
            }
            _ => {}
        }
        let inner = if self.0 == Fault::ConnectGoesOn {
            let transport = Arc::clone(&self.1);
            tokio::spawn(async move { transport.connect(connect).await }).await.expect("no panic")?
        } else {
            self.1.connect(connect).await?
        };
        Ok(Arc::new(BrokenUpstream {
            fault: self.0,
            inner,
            events,
            kept: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            listeners: Mutex::default(),
        }))
    }
}

#[async_trait]
impl Upstream for BrokenUpstream {
    fn info(&self) -> &UpstreamInfo {
        static OTHER: std::sync::OnceLock<UpstreamInfo> = std::sync::OnceLock::new();
        match self.fault {
            Fault::ForgetsTheEra => {
                OTHER.get_or_init(|| UpstreamInfo { era: gateway_core::Era::Legacy, ..self.inner.info().clone() })
            }
            _ => self.inner.info(),
        }
    }

    async fn request(&self, mut request: UpstreamRequest) -> Result<RawJson> {
        let _turn = if self.fault == Fault::OneAtATime { Some(self.turn.lock().await) } else { None };
        match self.fault {
            Fault::RewritesParams => request.params = rewritten(&request.params),
            Fault::LosesTraces => request.trace = None,
            Fault::LateProgress | Fault::SharesProgress | Fault::WaitsForListeners => {
                return self.with_own_listener(request).await;
            }
            Fault::AlwaysAsksForProgress => return self.with_progress_for_all(request).await,
            Fault::LosesCancellation => {
                let inner = Arc::clone(&self.inner);
                return tokio::spawn(async move { inner.request(request).await }).await.expect("no panic");
            }
            _ => {}
        }
        let is_echo = request.params.as_str().contains(r#""call "#);
        let answer = self.inner.request(request).await;
        match (self.fault, answer) {
            (Fault::RewritesResults, Ok(result)) => Ok(rewritten(&result)),
            (Fault::SwapsAnswers, Ok(result)) if is_echo => {
                let mut kept = self.kept.lock().expect("no panic");
                Ok(kept.replace(result.clone()).unwrap_or(result))
            }
            (Fault::LosesErrorObjects, Err(error)) => Err(Error::new(error.kind(), error.message())),
            (Fault::LosesErrorKinds, Err(error)) => {
                let details = error.details().cloned().unwrap_or_else(RawJson::empty_object);
                Err(Error::new(ErrorKind::UpstreamFailed, error.message()).with_details(details))
            }
            (Fault::DeathLooksSafe, Err(error)) => Err(error.with_retry(Retry::Safe)),
            (_, answer) => answer,
        }
    }

    async fn notify(&self, notification: gateway_core::Notification) -> Result<()> {
        self.inner.notify(notification).await
    }

    async fn close(&self) {
        if self.fault != Fault::CloseDoesNothing {
            self.inner.close().await;
        }
    }
}

impl BrokenUpstream {
    async fn with_own_listener(&self, mut request: UpstreamRequest) -> Result<RawJson> {
        let Some(wanted) = request.listener.take() else { return self.inner.request(request).await };
        let (own, mut receiver) = Listener::channel(1000);
        let mut listeners = vec![wanted];
        if self.fault == Fault::SharesProgress {
            let mut all = self.listeners.lock().expect("no panic");
            all.append(&mut listeners);
            listeners = all.clone();
        }
        let late = self.fault == Fault::LateProgress;
        let waits = self.fault == Fault::WaitsForListeners;
        let forward = async move {
            while let Some(notification) = receiver.recv().await {
                for listener in &listeners {
                    while !listener.deliver(notification.clone()) && waits {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                }
            }
        };
        let request = self.inner.request(request.with_listener(own));
        if late {
            let answer = request.await;
            tokio::spawn(forward);
            return answer;
        }
        let (answer, ()) = tokio::join!(request, forward);
        answer
    }

    async fn with_progress_for_all(&self, request: UpstreamRequest) -> Result<RawJson> {
        if request.listener.is_some() {
            return self.inner.request(request).await;
        }
        let (own, mut receiver) = Listener::channel(1000);
        let answer = self.inner.request(request.with_listener(own)).await;
        while let Ok(notification) = receiver.try_recv() {
            self.events.notified(&notification.method, notification.params);
        }
        answer
    }
}

fn rewritten(text: &RawJson) -> RawJson {
    let tree: serde_json::Value = text.read().expect("valid JSON");
    RawJson::from_value(&tree).expect("valid JSON")
}

fn spec(program: &str, arguments: &[&str]) -> ServerSpec {
    let args = arguments.iter().map(|&argument| argument.to_owned()).collect();
    let command = Command { program: program.to_owned(), args, ..Command::default() };
    ServerSpec::new("reference", "broken", Endpoint::Command(command)).expect("a valid name")
}

fn case(fault: Fault) -> TransportCase {
    let working = Arc::new(StdioTransport::new(StdioConfig::default()));
    let program = env!("CARGO_BIN_EXE_testkit-upstream");
    TransportCase::new(
        Arc::new(Broken(fault, working)),
        move |arguments| Target::new(spec(program, arguments)),
        spec("/no/such/program", &[]),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_is_caught() {
    let table: [(Fault, &[&str]); 18] = [
        (Fault::RewritesResults, &["a_result_is_returned_byte_for_byte", "a_modern_result_is_returned_byte_for_byte"]),
        (Fault::RewritesParams, &["params_reach_the_server_as_they_are"]),
        (Fault::LosesTraces, &["the_place_in_a_trace_reaches_the_server"]),
        (Fault::SwapsAnswers, &["each_answer_reaches_its_own_caller"]),
        (Fault::OneAtATime, &["requests_run_side_by_side"]),
        (Fault::LosesCancellation, &["a_dropped_request_is_cancelled_at_the_server"]),
        (Fault::LosesErrorObjects, &["a_json_rpc_error_is_upstream_failed_with_its_object"]),
        (Fault::LosesErrorKinds, &["wrong_arguments_are_invalid_arguments"]),
        (Fault::LateProgress, &["progress_arrives_in_order_before_the_result"]),
        (Fault::SharesProgress, &["each_listener_hears_its_own_request"]),
        (Fault::AlwaysAsksForProgress, &["without_a_listener_no_progress_is_asked_for"]),
        (Fault::WaitsForListeners, &["a_listener_that_does_not_read_blocks_nobody"]),
        (Fault::SwallowsEvents, &["list_changed_reaches_the_events", "a_question_is_answered_by_the_events"]),
        (Fault::DeathLooksSafe, &["a_server_that_dies_fails_its_requests"]),
        (Fault::IgnoresTheSizeLimit, &["a_message_beyond_the_limit_is_an_error"]),
        (
            Fault::CloseDoesNothing,
            &[
                "close_ends_the_connection_and_its_process",
                "close_fails_requests_under_way",
                "requests_after_close_fail",
            ],
        ),
        (Fault::ConnectGoesOn, &["a_dropped_connect_leaves_no_process"]),
        (Fault::ForgetsTheEra, &["connect_speaks_to_a_modern_server"]),
    ];
    // Many faults show only in that something never happens: wait for all of them at once.
    let mut checks = tokio::task::JoinSet::new();
    for (fault, broken) in table {
        let suite = suites::transport(case(fault));
        checks.spawn(async move { check(&format!("{fault:?}"), suite, broken).await });
    }
    while let Some(checked) = checks.join_next().await {
        checked.expect("caught");
    }
}

#[test]
fn the_program_is_found_beside_the_test() {
    let found = reference::program().canonicalize().expect("it is there");
    assert_eq!(
        found,
        std::path::Path::new(env!("CARGO_BIN_EXE_testkit-upstream")).canonicalize().expect("it is there")
    );
}
