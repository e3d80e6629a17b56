//! What servers say of their tools.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{ParamHeader, RawJson};

/// One tool as its server declared it: the parts that the gateway reads, and the whole text.
#[derive(Clone, Debug)]
pub struct Tool {
    name: String,
    title: Option<String>,
    description: String,
    input_schema: RawJson,
    annotations: Annotations,
    param_headers: Result<Vec<ParamHeader>, String>,
    raw: RawJson,
}

/// Hints of a server about a tool's behaviour (MCP `ToolAnnotations`). They are the server's word,
/// not a fact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Annotations {
    /// The tool changes nothing.
    pub read_only_hint: Option<bool>,
    /// The tool may destroy something.
    pub destructive_hint: Option<bool>,
    /// A second call with the same arguments does nothing more.
    pub idempotent_hint: Option<bool>,
    /// The tool reaches the world outside.
    pub open_world_hint: Option<bool>,
}

/// A declaration that is no tool, kept so that its author finds the mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedTool {
    /// Its name, where it has one.
    pub name: Option<String>,
    /// What is wrong with it.
    pub reason: String,
}

/// All tools of one server at one moment. Immutable, shared by every session that sees it.
#[derive(Debug, Default)]
pub struct ServerTools {
    server: String,
    about: String,
    tools: Vec<Arc<Tool>>,
    rejected: Vec<RejectedTool>,
    warnings: Vec<String>,
    content_hash: u64,
}

impl Tool {
    /// Reads a declaration from `tools/list`.
    ///
    /// # Errors
    /// The entry with what is wrong, where the declaration is no object, has no usable name, or its
    /// `inputSchema` is missing or no object.
    pub fn parse(raw: RawJson) -> Result<Self, RejectedTool> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Declared<'a> {
            name: Option<String>,
            #[serde(borrow)]
            title: Option<&'a RawValue>,
            #[serde(borrow)]
            description: Option<&'a RawValue>,
            #[serde(borrow)]
            input_schema: Option<&'a RawValue>,
            #[serde(borrow)]
            annotations: Option<&'a RawValue>,
        }
        let reject = |name: Option<String>, reason: String| RejectedTool { name, reason };
        let declared: Declared<'_> =
            raw.read().map_err(|error| reject(None, format!("the declaration cannot be read: {error}")))?;
        let Some(name) = declared.name.filter(|name| !name.is_empty()) else {
            return Err(reject(None, "`name` is missing or empty".to_owned()));
        };
        if name.len() > 1024 || name.chars().any(char::is_control) {
            // Enough to find it by; the whole could be of any length.
            return Err(reject(
                Some(name.chars().take(100).collect()),
                "`name` is longer than 1024 bytes or has control characters".to_owned(),
            ));
        }
        let Some(schema) = declared.input_schema.filter(|schema| schema.get().starts_with('{')) else {
            return Err(reject(Some(name), "`inputSchema` is missing or no object".to_owned()));
        };
        let description = match text(declared.description) {
            Ok(description) => description.unwrap_or_default(),
            Err(()) => return Err(reject(Some(name), "`description` is no text".to_owned())),
        };
        let annotations = declared.annotations.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
        let input_schema = RawJson::slice_of(raw.as_bytes(), schema);
        Ok(Self {
            title: text(declared.title).unwrap_or_default(),
            param_headers: ParamHeader::of_schema(&input_schema),
            input_schema,
            description,
            annotations,
            name,
            raw,
        })
    }

    /// Its name at its server.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its title for people.
    pub fn title(&self) -> Option<&str> {
        self.title.as_deref()
    }

    /// What it does; empty where the server does not say.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The JSON Schema of its arguments, an object.
    pub fn input_schema(&self) -> &RawJson {
        &self.input_schema
    }

    /// The server's hints.
    pub fn annotations(&self) -> Annotations {
        self.annotations
    }

    /// The arguments that travel in HTTP headers as well; none where the annotations are broken.
    pub fn param_headers(&self) -> &[ParamHeader] {
        self.param_headers.as_deref().unwrap_or_default()
    }

    /// The whole declaration, as it came.
    pub fn raw(&self) -> &RawJson {
        &self.raw
    }

    /// Whether the server says that a second call does no harm.
    pub fn is_idempotent(&self) -> bool {
        self.annotations.idempotent_hint == Some(true) || self.annotations.read_only_hint == Some(true)
    }
}

impl ServerTools {
    /// The tools that `server` declared. `about` is what the server says of itself (title and
    /// instructions), for routers. A declaration that is no tool, or repeats a name, is kept apart.
    pub fn new(server: impl Into<String>, about: impl Into<String>, declared: Vec<RawJson>) -> Self {
        let (server, about) = (server.into(), about.into());
        let mut hasher = DefaultHasher::new();
        (&server, &about).hash(&mut hasher);
        let mut names = HashSet::new();
        let (mut tools, mut rejected) = (Vec::with_capacity(declared.len()), Vec::new());
        for raw in declared {
            match Tool::parse(raw) {
                Ok(tool) if names.insert(tool.name.clone()) => {
                    tool.raw.hash(&mut hasher);
                    tools.push(Arc::new(tool));
                }
                Ok(tool) => rejected.push(RejectedTool {
                    name: Some(tool.name),
                    reason: "the server declares this name twice; the first one counts".to_owned(),
                }),
                Err(reject) => rejected.push(reject),
            }
        }
        Self { server, about, tools, rejected, warnings: Vec::new(), content_hash: hasher.finish() }
    }

    /// Without the tools whose arguments should travel in headers and cannot (SEP-2243: a client over HTTP
    /// must leave them out).
    #[must_use]
    pub fn without_broken_headers(mut self) -> Self {
        for tool in self.tools.extract_if(.., |tool| tool.param_headers.is_err()) {
            let reason = tool.param_headers.as_ref().err().cloned().unwrap_or_default();
            self.rejected.push(RejectedTool { name: Some(tool.name.clone()), reason });
        }
        self
    }

    /// With remarks about how the list was read.
    #[must_use]
    pub fn with_warnings(mut self, warnings: Vec<String>) -> Self {
        self.warnings = warnings;
        self
    }

    /// The server's name.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// What the server says of itself; may be empty.
    pub fn about(&self) -> &str {
        &self.about
    }

    /// The tools, in the server's order.
    pub fn tools(&self) -> &[Arc<Tool>] {
        &self.tools
    }

    /// Declarations that were no tools.
    pub fn rejected(&self) -> &[RejectedTool] {
        &self.rejected
    }

    /// Remarks about how the list was read, such as a repeated cursor.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// A hash of the server's name, what it says of itself and its tools. Equal content has an equal
    /// hash within one process.
    pub fn content_hash(&self) -> u64 {
        self.content_hash
    }
}

/// The text of an optional JSON string; `Err` where it is another kind of value.
fn text(raw: Option<&RawValue>) -> Result<Option<String>, ()> {
    raw.map_or(Ok(None), |raw| serde_json::from_str(raw.get()).map_err(|_| ()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declare(text: &str) -> RawJson {
        RawJson::parse(text.to_owned()).expect("valid JSON")
    }

    #[test]
    fn one_malformed_tool_is_kept_apart() {
        let tools = ServerTools::new(
            "s",
            "",
            vec![
                declare(r#"{"name":"good","inputSchema":{"type":"object"},"x-new":[1.0]}"#),
                declare(r#"{"name":"no-schema"}"#),
                declare(r#"{"name":7,"inputSchema":{}}"#),
                declare("null"),
                declare(r#"{"name":"good","inputSchema":{}}"#),
                declare(r#"{"name":"odd","description":5,"inputSchema":{}}"#),
                declare(r#"{"name":"fine","description":null,"annotations":"?","inputSchema":{}}"#),
            ],
        );
        let names: Vec<_> = tools.tools().iter().map(|tool| tool.name()).collect();
        assert_eq!(names, ["good", "fine"]);
        assert_eq!(tools.rejected().len(), 5);
        assert!(tools.tools()[0].raw().as_str().contains(r#""x-new":[1.0]"#));
    }
}
