//! What a reference server is told to do.

use std::net::SocketAddr;

/// How the binary is called.
pub const USAGE: &str = "\
testkit-upstream: a scriptable MCP server for tests

  --http ADDR           Streamable HTTP on this address instead of stdio (port 0 takes a free one)
  --old-sse ADDR        the HTTP+SSE transport of 2024-11-05 on this address
  --era ERA             legacy (default), modern, or both
  --name NAME           its name in the handshake (default `reference`)
  --tools N             N more tools that behave like `echo`: tool_00001, ...
  --page-size N         at most N tools on a page of tools/list (default 0: one page)
  --delay-ms N          wait so long in every tools/call
  --stderr LINE         write this line to standard error at the start (may be repeated)
  --sse                 answer every POST with an event stream, also where one message is all
  --no-session          no Mcp-Session-Id over HTTP
  --conformance         offer what the official conformance suite asks of a server, instead of the usual tools

faults:
  --endless-cursor      every page of tools/list names the same next page
  --endless-pages       every page of tools/list names a next page that was never named before
  --malformed-tool      one tool of the list has no input schema
  --unknown-content     results have a part of an unknown type beside the text
  --hang-handshake      never answer the handshake
  --exit-after-handshake  end the process when the handshake is done
  --noise               lines that are no messages, and answers to requests that were never made
  --stubborn            neither the end of standard input nor SIGTERM ends the process
";

/// What a reference server is told to do. The default is a well-behaved legacy server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How clients reach it.
    pub wire: Wire,
    /// Which half of the protocol's history it speaks.
    pub era: ServedEra,
    /// Its name in the handshake.
    pub name: String,
    /// How many tools it has besides [`TOOLS`](super::TOOLS).
    pub extra_tools: usize,
    /// Most tools on one page; 0 puts all on one.
    pub page_size: usize,
    /// Wait in every `tools/call`, in milliseconds.
    pub delay_ms: u64,
    /// Lines for standard error at the start.
    pub stderr: Vec<String>,
    /// Whether every POST is answered with an event stream.
    pub always_sse: bool,
    /// Whether HTTP works without a session id.
    pub no_session: bool,
    /// Whether it offers what the official conformance suite asks of a server, instead of [`TOOLS`](super::TOOLS).
    pub conformance: bool,
    /// Whether every page names the same next page.
    pub endless_cursor: bool,
    /// Whether every page names a new next page.
    pub endless_pages: bool,
    /// Whether one tool of the list is malformed.
    pub malformed_tool: bool,
    /// Whether results have a part of an unknown type.
    pub unknown_content: bool,
    /// Whether the handshake is never answered.
    pub hang_handshake: bool,
    /// Whether the process ends when the handshake is done.
    pub exit_after_handshake: bool,
    /// Whether it writes lines that are no messages, and answers that nobody asked for.
    pub noise: bool,
    /// Whether it ignores the end of its standard input, and SIGTERM.
    pub stubborn: bool,
}

/// How clients reach a reference server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wire {
    /// Lines on standard input and output.
    #[default]
    Stdio,
    /// Streamable HTTP on this address.
    Http(SocketAddr),
    /// The HTTP+SSE transport of 2024-11-05 on this address.
    OldSse(SocketAddr),
}

/// Which half of the protocol's history a reference server speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServedEra {
    /// `initialize` (2024-11-05 to 2025-11-25).
    #[default]
    Legacy,
    /// `server/discover` (2026-07-28).
    Modern,
    /// Each client as it likes.
    Both,
}

impl ServedEra {
    pub(super) fn legacy(self) -> bool {
        self != Self::Modern
    }

    pub(super) fn modern(self) -> bool {
        self != Self::Legacy
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            wire: Wire::Stdio,
            era: ServedEra::Legacy,
            name: "reference".to_owned(),
            extra_tools: 0,
            page_size: 0,
            delay_ms: 0,
            stderr: Vec::new(),
            always_sse: false,
            no_session: false,
            conformance: false,
            endless_cursor: false,
            endless_pages: false,
            malformed_tool: false,
            unknown_content: false,
            hang_handshake: false,
            exit_after_handshake: false,
            noise: false,
            stubborn: false,
        }
    }
}

impl Options {
    /// Reads command-line arguments, without the program's name.
    ///
    /// # Errors
    /// A sentence that names the argument, where one is unknown, lacks its value or has a wrong one.
    pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            if let Some(flag) = options.flag(&argument) {
                *flag = true;
                continue;
            }
            let value = arguments.next();
            let Some(value) = value else {
                return Err(format!("{argument} is unknown or needs a value"));
            };
            options.set(&argument, value)?;
        }
        Ok(options)
    }

    fn flag(&mut self, argument: &str) -> Option<&mut bool> {
        Some(match argument {
            "--sse" => &mut self.always_sse,
            "--no-session" => &mut self.no_session,
            "--conformance" => &mut self.conformance,
            "--endless-cursor" => &mut self.endless_cursor,
            "--endless-pages" => &mut self.endless_pages,
            "--malformed-tool" => &mut self.malformed_tool,
            "--unknown-content" => &mut self.unknown_content,
            "--hang-handshake" => &mut self.hang_handshake,
            "--exit-after-handshake" => &mut self.exit_after_handshake,
            "--noise" => &mut self.noise,
            "--stubborn" => &mut self.stubborn,
            _ => return None,
        })
    }

    fn set(&mut self, argument: &str, value: String) -> Result<(), String> {
        let bad = |expected: &str| format!("{argument} {value}: expected {expected}");
        let number = || value.parse::<usize>().map_err(|_| bad("a number"));
        match argument {
            "--http" => self.wire = Wire::Http(loopback(&value).ok_or_else(|| bad("a loopback ADDRESS:PORT"))?),
            "--old-sse" => self.wire = Wire::OldSse(loopback(&value).ok_or_else(|| bad("a loopback ADDRESS:PORT"))?),
            "--era" => {
                self.era = match value.as_str() {
                    "legacy" => ServedEra::Legacy,
                    "modern" => ServedEra::Modern,
                    "both" => ServedEra::Both,
                    _ => return Err(bad("legacy, modern or both")),
                }
            }
            "--name" => self.name = value,
            "--tools" => self.extra_tools = number()?,
            "--page-size" => self.page_size = number()?,
            "--delay-ms" => self.delay_ms = number()? as u64,
            "--stderr" => self.stderr.push(value),
            _ => return Err(format!("{argument} is unknown")),
        }
        Ok(())
    }
}

fn loopback(text: &str) -> Option<SocketAddr> {
    text.parse().ok().filter(|address: &SocketAddr| address.ip().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Options, String> {
        Options::parse(text.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn reads_what_the_usage_promises() {
        let options = parse("--http 127.0.0.1:0 --era both --tools 3 --page-size 2 --noise --stderr a --stderr b")
            .expect("valid");
        assert_eq!(options.wire, Wire::Http(([127, 0, 0, 1], 0).into()));
        assert_eq!((options.era, options.extra_tools, options.page_size), (ServedEra::Both, 3, 2));
        assert_eq!((options.noise, options.stderr), (true, vec!["a".to_owned(), "b".to_owned()]));
        let old = parse("--old-sse 127.0.0.1:0").expect("valid");
        assert_eq!(old.wire, Wire::OldSse(([127, 0, 0, 1], 0).into()));
        for word in USAGE.split_whitespace().filter(|word| word.starts_with("--")) {
            let known = parse(word).is_ok() || !parse(&format!("{word} 1")).is_err_and(|why| why.contains("unknown"));
            assert!(known, "{word} stands in the usage but is not read");
        }
    }

    #[test]
    fn names_what_is_wrong() {
        for (input, expected) in [
            ("--what", "--what"),
            ("--tools many", "a number"),
            ("--http 0.0.0.0:0", "loopback"),
            ("--era old", "legacy, modern or both"),
        ] {
            let error = parse(input).expect_err("refused");
            assert!(error.contains(expected), "{error}");
        }
    }
}
