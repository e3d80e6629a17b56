//! The suite, and what it takes to run it.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use gateway_core::{ServerSpec, Transport};

use super::{connecting, ending, listening, requests};
use crate::Suite;
use crate::suite::suite;

type MakeTarget = dyn Fn(&[&str]) -> Target + Send + Sync;

/// A transport, and a way to reach the [reference server](crate::reference) through it.
#[derive(Clone)]
pub struct TransportCase {
    pub(super) transport: Arc<dyn Transport>,
    pub(super) target: Arc<MakeTarget>,
    pub(super) unreachable: ServerSpec,
}

/// A reference server that a transport can reach.
pub struct Target {
    /// How to reach it.
    pub spec: ServerSpec,
    /// Ends it when dropped, where the transport does not start it itself.
    pub guard: Box<dyn Any + Send + Sync>,
}

impl TransportCase {
    /// `target` prepares a reference server that is started with the arguments given (see
    /// [`USAGE`](crate::reference::USAGE)); `unreachable` names one that is not there.
    pub fn new(
        transport: Arc<dyn Transport>,
        target: impl Fn(&[&str]) -> Target + Send + Sync + 'static,
        unreachable: ServerSpec,
    ) -> Self {
        Self { transport, target: Arc::new(target), unreachable }
    }
}

impl Target {
    /// A server that the transport starts itself.
    pub fn new(spec: ServerSpec) -> Self {
        Self { spec, guard: Box::new(()) }
    }

    /// A server that ends when `guard` is dropped.
    pub fn with_guard(spec: ServerSpec, guard: impl Any + Send + Sync) -> Self {
        Self { spec, guard: Box::new(guard) }
    }
}

/// The behaviours of [`Transport`] and [`Upstream`](gateway_core::Upstream). Each starts servers of its
/// own.
pub fn transport(case: TransportCase) -> Suite {
    let make = move || {
        let case = case.clone();
        async move { case }
    };
    suite!(
        "transport",
        make,
        [
            connecting::connect_ends_the_handshake,
            connecting::connect_speaks_to_a_modern_server,
            connecting::a_wrong_memory_of_the_era_does_no_harm,
            connecting::a_server_that_is_not_there_is_an_error,
            connecting::a_dropped_connect_leaves_no_process,
            connecting::a_server_that_ends_after_the_handshake_is_an_error,
            connecting::messages_that_are_none_are_passed_over,
            requests::a_result_is_returned_byte_for_byte,
            requests::a_modern_result_is_returned_byte_for_byte,
            requests::params_reach_the_server_as_they_are,
            requests::the_place_in_a_trace_reaches_the_server,
            requests::each_answer_reaches_its_own_caller,
            requests::requests_run_side_by_side,
            requests::a_tool_that_fails_is_a_result,
            requests::a_json_rpc_error_is_upstream_failed_with_its_object,
            requests::wrong_arguments_are_invalid_arguments,
            requests::an_unknown_method_is_upstream_failed,
            requests::a_dropped_request_is_cancelled_at_the_server,
            requests::a_dropped_modern_request_is_cancelled_at_the_server,
            requests::the_connection_stays_good_after_a_cancelled_request,
            requests::a_result_of_20_mib_arrives_whole,
            requests::a_message_beyond_the_limit_is_an_error,
            listening::progress_arrives_in_order_before_the_result,
            listening::progress_of_a_modern_server_arrives_too,
            listening::each_listener_hears_its_own_request,
            listening::without_a_listener_no_progress_is_asked_for,
            listening::a_listener_that_does_not_read_blocks_nobody,
            listening::a_log_message_arrives,
            listening::list_changed_reaches_the_events,
            listening::list_changed_of_a_modern_server_reaches_the_events,
            listening::a_question_is_answered_by_the_events,
            listening::a_question_in_a_request_reaches_its_listener,
            listening::a_question_that_nobody_answers_is_method_not_found,
            ending::a_server_that_dies_fails_its_requests,
            ending::after_a_death_requests_fail_at_once,
            ending::a_lost_session_is_safe_to_retry,
            ending::close_ends_the_connection_and_its_process,
            ending::close_fails_requests_under_way,
            ending::close_may_be_called_twice,
            ending::close_ends_a_server_that_will_not_go,
            ending::requests_after_close_fail,
        ]
    )
}

impl fmt::Debug for TransportCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransportCase").field("transport", &self.transport).finish_non_exhaustive()
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("spec", &self.spec).finish_non_exhaustive()
    }
}
