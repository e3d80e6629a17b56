//! What the terminal shows: for every step its title, the request as a line for curl, and the answer in short.

/// Longest line of an answer, in characters.
const MAX_ANSWER_CHARS: usize = 110;

/// Whose servers a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Everybody's.
    Global,
    /// Those of the session whose id the shell variable `SESSION` has.
    Session,
}

/// A request as curl would send it.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub scope: Scope,
    /// JSON.
    pub body: Option<&'a str>,
}

impl<'a> Request<'a> {
    pub fn get(path: &'a str) -> Self {
        Self { method: "GET", path, scope: Scope::Global, body: None }
    }

    pub fn post(path: &'a str, body: &'a str) -> Self {
        Self { method: "POST", path, scope: Scope::Global, body: Some(body) }
    }

    pub fn delete(path: &'a str) -> Self {
        Self { method: "DELETE", path, scope: Scope::Global, body: None }
    }

    pub fn in_session(self) -> Self {
        Self { scope: Scope::Session, ..self }
    }
}

/// The terminal, and how far the tour is.
#[derive(Debug)]
pub struct Stage {
    url: String,
    steps: usize,
}

impl Stage {
    /// For the gateway at `url`.
    pub fn new(url: &str) -> Self {
        Self { url: url.trim_end_matches('/').to_owned(), steps: 0 }
    }

    /// Begins a step.
    pub fn step(&mut self, title: &str) {
        self.steps += 1;
        println!("\n── {}. {title}", self.steps);
    }

    /// Shows the request that is about to be sent.
    pub fn request(&self, request: &Request<'_>) {
        println!("   $ {}", self.curl(request));
    }

    /// Shows how the shell learns the session's id, so that the lines that follow can be pasted.
    pub fn name_session(&self, id: &str) {
        println!("   $ SESSION={id}");
    }

    /// Shows one line of an answer, shortened.
    pub fn answer(&self, line: &str) {
        println!("   {}", shortened(line));
    }

    fn curl(&self, request: &Request<'_>) -> String {
        let mut words = vec!["curl -s".to_owned()];
        // curl sends POST by itself when there is a body, and GET when there is none.
        let by_itself = if request.body.is_some() { "POST" } else { "GET" };
        if request.method != by_itself {
            words.push(format!("-X {}", request.method));
        }
        words.push(format!("{}{}", self.url, request.path));
        if request.scope == Scope::Session {
            words.push("-H \"X-Session-ID: $SESSION\"".to_owned());
        }
        if let Some(body) = request.body {
            words.push(format!("-H 'Content-Type: application/json' -d {}", quoted(body)));
        }
        words.join(" ")
    }
}

/// One word for a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The first line, with an ellipsis where something is left out.
fn shortened(text: &str) -> String {
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    let mut short: String = first.chars().take(MAX_ANSWER_CHARS).collect();
    if short.len() < first.len() || lines.next().is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_become_lines_for_curl() {
        let stage = Stage::new("http://127.0.0.1:8000/");
        let body = r#"{"message":"it's"}"#;
        let cases = [
            (Request::get("/health"), "curl -s http://127.0.0.1:8000/health"),
            (Request::delete("/sessions/a"), "curl -s -X DELETE http://127.0.0.1:8000/sessions/a"),
            (
                Request { body: None, ..Request::post("/sessions/create", body) },
                "curl -s -X POST http://127.0.0.1:8000/sessions/create",
            ),
            (
                Request::post("/mcp/execute", body).in_session(),
                "curl -s http://127.0.0.1:8000/mcp/execute -H \"X-Session-ID: $SESSION\" \
                 -H 'Content-Type: application/json' -d '{\"message\":\"it'\\''s\"}'",
            ),
        ];
        for (request, expected) in cases {
            assert_eq!(stage.curl(&request), expected);
        }
    }

    #[test]
    fn answers_are_one_line() {
        assert_eq!(shortened("short"), "short");
        assert_eq!(shortened("first\nsecond"), "first…");
        assert_eq!(shortened(&"é".repeat(200)), format!("{}…", "é".repeat(MAX_ANSWER_CHARS)));
    }
}
