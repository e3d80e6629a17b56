//! Which runs, and how.

use std::fmt;

/// The revisions that the suite has requirement sets for, and that a gateway speaks.
pub const REVISIONS: [&str; 2] = ["2025-11-25", "2026-07-28"];

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    pub runs: Vec<Run>,
    /// Whether there is a gateway between the suite and what it is tested with.
    pub path: Path,
    /// The era that the fixture speaks, as it is told.
    pub era: String,
    /// Only this scenario, with all that the suite says of it.
    pub scenario: Option<String>,
    /// More arguments for the suite.
    pub more: Vec<String>,
}

/// One run of the suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    pub role: Role,
    pub revision: &'static str,
}

/// What the gateway is to the suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Server(Upstream),
    Client,
}

/// How the gateway reaches the fixture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upstream {
    Http,
    Stdio,
}

/// What lies between the suite and the fixture or the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    ThroughTheGateway,
    /// Nothing: the fixture and the client themselves are judged.
    Direct,
}

impl Options {
    /// All runs, as `cargo xtask test` wants them.
    pub fn all() -> Self {
        Self::parse(&[]).expect("no arguments are right arguments")
    }

    pub fn parse(words: &[&str]) -> Result<Self, String> {
        let (mut revision, mut role, mut upstream) = (None, None, None);
        let mut options = Self {
            runs: Vec::new(),
            path: Path::ThroughTheGateway,
            era: "both".to_owned(),
            scenario: None,
            more: Vec::new(),
        };
        let mut words = words.iter();
        while let Some(&word) = words.next() {
            let mut value = |choices: &[&str]| match words.next() {
                Some(value) if choices.is_empty() || choices.contains(value) => Ok((*value).to_owned()),
                _ if choices.is_empty() => Err(format!("{word} needs a value")),
                _ => Err(format!("{word} needs one of {}", choices.join(", "))),
            };
            match word {
                "--requirements" => revision = Some(value(&REVISIONS)?),
                "--role" => role = Some(value(&["server", "client"])?),
                "--upstream" => upstream = Some(value(&["http", "stdio"])?),
                "--era" => options.era = value(&["both", "legacy", "modern"])?,
                "--scenario" => options.scenario = Some(value(&[])?),
                "--direct" => options.path = Path::Direct,
                _ => options.more.push(word.to_owned()),
            }
        }
        for known in REVISIONS.into_iter().filter(|&known| revision.as_deref().is_none_or(|wanted| wanted == known)) {
            for candidate in [Role::Server(Upstream::Http), Role::Server(Upstream::Stdio), Role::Client] {
                if candidate.is_wanted(role.as_deref(), upstream.as_deref(), options.path) {
                    options.runs.push(Run { role: candidate, revision: known });
                }
            }
        }
        if options.runs.is_empty() {
            return Err("the suite speaks HTTP only: without the gateway there is no run over stdio".to_owned());
        }
        Ok(options)
    }
}

impl Role {
    /// The suite's word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Server(_) => "server",
            Self::Client => "client",
        }
    }

    fn is_wanted(self, role: Option<&str>, upstream: Option<&str>, path: Path) -> bool {
        let upstreams = match self {
            Self::Server(Upstream::Http) => upstream != Some("stdio"),
            Self::Server(Upstream::Stdio) => upstream != Some("http") && path == Path::ThroughTheGateway,
            Self::Client => upstream.is_none() || role == Some("client"),
        };
        upstreams && role.is_none_or(|role| role == self.name())
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.role.name(), self.revision)?;
        match self.role {
            Role::Server(Upstream::Http) => write!(f, " (http upstream)"),
            Role::Server(Upstream::Stdio) => write!(f, " (stdio upstream)"),
            Role::Client => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(line: &str) -> Vec<String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        Options::parse(&words).unwrap().runs.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn options_choose_among_the_runs() {
        assert_eq!(runs("").len(), 6);
        assert_eq!(runs("--requirements 2025-11-25 --role client"), ["client 2025-11-25"]);
        assert_eq!(runs("--upstream stdio --requirements 2026-07-28"), ["server 2026-07-28 (stdio upstream)"]);
        assert_eq!(runs("--direct --role server").len(), 2);
        let options = Options::parse(&["--scenario", "ping", "--verbose"]).unwrap();
        assert_eq!((options.scenario.as_deref(), options.more), (Some("ping"), vec!["--verbose".to_owned()]));
    }

    #[test]
    fn mistakes_are_named() {
        for (line, part) in [
            (&["--requirements", "2024"][..], "2025-11-25, 2026-07-28"),
            (&["--scenario"], "--scenario needs a value"),
            (&["--direct", "--upstream", "stdio"], "HTTP only"),
        ] {
            let mistake = Options::parse(line).unwrap_err();
            assert!(mistake.contains(part), "{mistake}");
        }
    }
}
