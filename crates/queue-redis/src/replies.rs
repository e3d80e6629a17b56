//! Where answers may go. The names come from producers, who may be wrong or mean harm.

use crate::config::RedisQueueConfig;

/// How long the name of a reply list may be, in bytes.
const LONGEST: usize = 512;

/// The gateway's own keys beside the queue; a list in their place would break what keeps them.
const RESERVED: &str = "gateway:";

/// The list for an answer: what was asked for, or the common one where that cannot be. The job is done all the same, and an answer
/// in the common list is one that can be found.
pub(crate) fn reply_list<'a>(config: &'a RedisQueueConfig, asked: Option<&'a str>) -> &'a str {
    let Some(asked) = asked else { return &config.names.responses };
    match refusal(config, asked) {
        None => asked,
        Some(reason) => {
            let shown: String = asked.chars().take(100).collect();
            tracing::warn!(reply_to = %shown.escape_debug(), reason, "an answer goes to the common list in place of the one asked for");
            &config.names.responses
        }
    }
}

fn refusal(config: &RedisQueueConfig, asked: &str) -> Option<&'static str> {
    let allowed = &config.reply_prefixes;
    if asked.is_empty() {
        Some("the name is empty")
    } else if asked.len() > LONGEST {
        Some("the name is longer than 512 bytes")
    } else if asked.chars().any(char::is_control) {
        Some("the name has a control character in it")
    } else if asked == config.names.responses {
        None
    } else if config.names.is_own(asked) || asked.starts_with(RESERVED) {
        Some("the name is one of the gateway's own")
    } else if !allowed.is_empty() && !allowed.iter().any(|prefix| asked.starts_with(prefix.as_str())) {
        Some("the name does not begin with a prefix that is allowed")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use gateway_core::Secret;

    use super::*;

    #[test]
    fn answers_go_where_they_can_do_no_harm() {
        let config = RedisQueueConfig::new(Secret::new("redis://127.0.0.1"));
        let long = "x".repeat(513);
        let check = |config: &RedisQueueConfig, asked: Option<&str>, taken: bool| {
            let expected = if taken { asked.unwrap_or("mcp_responses") } else { "mcp_responses" };
            assert_eq!(reply_list(config, asked), expected, "{asked:?}");
        };
        for asked in [None, Some("mcp_responses"), Some("replies:a"), Some("päckchen"), Some(&long[1..])] {
            check(&config, asked, true);
        }
        for asked in [
            "",
            "mcp_requests",
            "mcp_requests:dead",
            "mcp_requests:dead:1",
            "mcp_requests:processing",
            "mcp_requests:claim:1-1",
            "request:1",
            "agent_queue:low",
            "gateway:status",
            "two\nlines",
            &long,
        ] {
            check(&config, Some(asked), false);
        }
        let config = RedisQueueConfig { reply_prefixes: vec!["replies:".to_owned()], ..config };
        check(&config, Some("replies:a"), true);
        check(&config, Some("mcp_responses"), true);
        check(&config, Some("celery"), false);
    }
}
