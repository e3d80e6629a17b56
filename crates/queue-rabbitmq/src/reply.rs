//! Where an answer may go.

use tracing::warn;

use crate::config::{LONGEST_NAME, Names};

/// What a client that uses direct reply-to is called, as the broker tells us.
const DIRECT: &str = "amq.rabbitmq.reply-to.";
/// Queues that the broker has named for their owners: every RPC client has one.
const NAMED_BY_BROKER: &str = "amq.gen-";

/// Whether this is a client that takes its answers without a queue.
pub(crate) fn is_direct(queue: &str) -> bool {
    queue.len() > DIRECT.len() && queue.starts_with(DIRECT)
}

impl Names {
    /// The queue that an answer goes to by way of the default exchange: the one that is asked for, or the common one
    /// where that is none, or none that an answer may go to. A producer must not be able to send answers
    /// into the queue of jobs or among the dead letters, or to what the broker keeps for itself.
    pub(crate) fn destination<'a>(&'a self, reply_to: Option<&'a str>) -> &'a str {
        let Some(wanted) = reply_to.filter(|wanted| !wanted.is_empty()) else { return &self.responses };
        if self.may_receive(wanted) {
            return wanted;
        }
        warn!(bytes = wanted.len(), "a job's reply_to is no queue for answers: its answer goes to the common one");
        &self.responses
    }

    fn may_receive(&self, queue: &str) -> bool {
        let reserved = queue.starts_with("amq.") && !(queue.starts_with(NAMED_BY_BROKER) || is_direct(queue));
        let ours = [&self.requests, &self.dead, &self.dead_exchange].into_iter().any(|name| name == queue);
        !reserved && !ours && queue.len() <= LONGEST_NAME && !queue.chars().any(char::is_control)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_go_only_where_they_may() {
        let names = Names {
            requests: "mcp_requests".to_owned(),
            responses: "mcp_responses".to_owned(),
            dead: "mcp_requests:dead".to_owned(),
            dead_exchange: "mcp_requests.dlx".to_owned(),
        };
        for wanted in ["mine", "amq.gen-Xa21", "amq.rabbitmq.reply-to.g1h2AA5y", "mcp_responses", "größe"] {
            assert_eq!(names.destination(Some(wanted)), wanted);
        }
        let long = "x".repeat(256);
        let refused = [
            "",
            "mcp_requests",
            "mcp_requests:dead",
            "mcp_requests.dlx",
            "amq.direct",
            "amq.rabbitmq.reply-to",
            "a\nb",
            &long,
        ];
        for wanted in refused {
            assert_eq!(names.destination(Some(wanted)), "mcp_responses", "{wanted:?}");
        }
        assert_eq!(names.destination(None), "mcp_responses");
    }
}
