//! Server-sent events.

/// One event, or a change of the waiting time.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Event {
    pub id: Option<String>,
    pub retry: Option<u64>,
    pub data: String,
}

/// Cuts bytes into events.
#[derive(Debug, Default)]
pub struct Parser {
    rest: Vec<u8>,
    event: Event,
}

impl Parser {
    /// Takes some bytes and returns the events that are complete now.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Event> {
        self.rest.extend_from_slice(bytes);
        let mut events = Vec::new();
        while let Some(end) = self.rest.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            match line.trim_end_matches(['\r', '\n']) {
                "" => {
                    let event = std::mem::take(&mut self.event);
                    if event != Event::default() {
                        events.push(event);
                    }
                }
                line => self.take(line),
            }
        }
        events
    }

    fn take(&mut self, line: &str) {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => self.event.id = Some(value.to_owned()),
            "retry" => self.event.retry = value.parse().ok(),
            "data" => {
                if !self.event.data.is_empty() {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_whole_however_the_bytes_are_cut() {
        let text =
            b": comment\n\nid: a\nretry: 5\ndata: \n\nevent: message\r\nid: b\r\ndata:{\"x\":\r\ndata: 1}\r\n\r\n";
        let expected = [
            Event { id: Some("a".to_owned()), retry: Some(5), data: String::new() },
            Event { id: Some("b".to_owned()), retry: None, data: "{\"x\":\n1}".to_owned() },
        ];
        for size in [1, 2, 7, text.len()] {
            let mut parser = Parser::default();
            let events: Vec<Event> = text.chunks(size).flat_map(|bytes| parser.feed(bytes)).collect();
            assert_eq!(events, expected, "{size}");
        }
    }
}
