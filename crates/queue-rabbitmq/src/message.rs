//! How messages are made.

use std::time::SystemTime;

use gateway_core::Priority;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};

use crate::config::LONGEST_NAME;
use crate::records::unix_ms;

/// Survives the broker's restart.
const PERSISTENT: u8 = 2;
/// The longest reason that a dead letter carries: all headers must fit into one frame.
const LONGEST_REASON: usize = 1000;

/// The properties of a job.
pub(crate) fn job(request_id: &str, priority: Priority) -> BasicProperties {
    let level = match priority {
        Priority::Low => 0,
        Priority::Normal => 3,
        Priority::High => 6,
        Priority::Urgent => 9,
    };
    json(request_id).with_priority(level)
}

/// The properties of an answer.
pub(crate) fn answer(request_id: &str, correlation_id: &str) -> BasicProperties {
    json(request_id).with_correlation_id(short(correlation_id))
}

/// The properties of a dead letter: those of the message, as far as they can do no harm, and the reason.
pub(crate) fn dead(from: &BasicProperties, reason: &str) -> BasicProperties {
    let mut headers = FieldTable::default();
    let reason: String = reason.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    headers.insert("reason".into(), AMQPValue::LongString(cut(&reason, LONGEST_REASON).into()));
    let mut properties = BasicProperties::default().with_delivery_mode(PERSISTENT).with_headers(headers);
    type With = fn(BasicProperties, ShortString) -> BasicProperties;
    let kept: [(&Option<ShortString>, With); 7] = [
        (from.content_type(), BasicProperties::with_content_type),
        (from.content_encoding(), BasicProperties::with_content_encoding),
        (from.correlation_id(), BasicProperties::with_correlation_id),
        (from.reply_to(), BasicProperties::with_reply_to),
        (from.message_id(), BasicProperties::with_message_id),
        (from.kind(), BasicProperties::with_type),
        (from.app_id(), BasicProperties::with_app_id),
    ];
    for (value, with) in kept {
        if let Some(value) = value {
            properties = with(properties, value.clone());
        }
    }
    match from.timestamp() {
        Some(timestamp) => properties.with_timestamp(*timestamp),
        None => properties,
    }
}

fn json(request_id: &str) -> BasicProperties {
    BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_content_type("application/json".into())
        .with_message_id(short(request_id))
        .with_timestamp(unix_ms(SystemTime::now()) / 1000)
}

/// As much of a text as AMQP's short strings carry.
fn short(text: &str) -> ShortString {
    cut(text, LONGEST_NAME).into()
}

fn cut(text: &str, longest: usize) -> &str {
    let mut end = longest.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_letter_cannot_be_sent_elsewhere_or_vanish() {
        let mut headers = FieldTable::default();
        headers.insert("CC".into(), AMQPValue::LongString("mcp_requests".into()));
        let from = BasicProperties::default()
            .with_headers(headers)
            .with_expiration("1".into())
            .with_user_id("somebody".into())
            .with_correlation_id("c".into())
            .with_timestamp(7);
        let letter = dead(&from, &format!("two\nlines {}", "ü".repeat(2000)));
        assert_eq!((letter.expiration(), letter.user_id()), (&None, &None));
        assert_eq!((letter.correlation_id(), letter.timestamp()), (&Some("c".into()), &Some(7)));
        let headers = letter.headers().as_ref().expect("headers").inner();
        assert_eq!(headers.len(), 1);
        let Some(AMQPValue::LongString(reason)) = headers.get("reason") else { panic!("no reason in {headers:?}") };
        assert!(reason.as_bytes().starts_with(b"two lines ") && reason.as_bytes().len() <= LONGEST_REASON);
    }

    #[test]
    fn overlong_ids_are_cut_between_characters() {
        let properties = answer("id", &"ü".repeat(200));
        assert_eq!(properties.correlation_id().as_ref().expect("an id").as_str(), "ü".repeat(127));
    }
}
