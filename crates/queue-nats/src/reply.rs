//! Where an answer may go.

use tracing::warn;

use crate::config::Names;

/// The longest subject that is taken from a job.
const LONGEST_REPLY_TO: usize = 255;

impl Names {
    /// The subject that an answer goes to: the one that is asked for, or the common one where that is none, or none that an
    /// answer may go to. A producer must not be able to send answers into the queue of jobs or among the dead letters, nor
    /// to the server itself: what begins with `$` are its own interfaces (`$JS.API`, `$JS.ACK`, `$KV`, `$SYS`).
    pub(crate) fn destination<'a>(&'a self, reply_to: Option<&'a str>) -> &'a str {
        let Some(wanted) = reply_to.filter(|wanted| !wanted.is_empty()) else { return &self.responses };
        let ours = wanted == self.requests || wanted == self.dead;
        if is_subject(wanted) && wanted.len() <= LONGEST_REPLY_TO && !wanted.starts_with('$') && !ours {
            return wanted;
        }
        warn!(bytes = wanted.len(), "a job's reply_to is no subject for answers: its answer goes to the common one");
        &self.responses
    }
}

/// Whether this is one subject: something between all dots, no wildcard, and nothing that would end a line of the protocol.
pub(crate) fn is_subject(text: &str) -> bool {
    let good = |letter: char| !letter.is_whitespace() && !letter.is_control() && letter != '*' && letter != '>';
    text.split('.').all(|token| !token.is_empty()) && text.chars().all(good)
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
        };
        for wanted in ["mine", "_INBOX.Xa21.1", "my.answers", "mcp_responses", "größe"] {
            assert_eq!(names.destination(Some(wanted)), wanted);
        }
        let long = "x".repeat(256);
        let refused = [
            "",
            "mcp_requests",
            "mcp_requests:dead",
            "$JS.API.STREAM.DELETE.mcp_requests",
            "$SYS.x",
            "$KV.b.k",
            "a.*",
            ">",
            "a.>",
            ".a",
            "a.",
            "a..b",
            "a b",
            "a\r\nPUB b 0\r\n",
            "a\tb",
            "a\u{a0}b",
            &long,
        ];
        for wanted in refused {
            assert_eq!(names.destination(Some(wanted)), "mcp_responses", "{wanted:?}");
        }
        assert_eq!(names.destination(None), "mcp_responses");
    }
}
