//! What servers offer besides tools: prompts, resources, resource templates.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::RawJson;

/// One prompt, resource or resource template as its server declared it: what it is called by, and the whole
/// text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Declaration {
    key: String,
    raw: RawJson,
}

/// The kinds of things that servers declare besides tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OfferKind {
    /// Called by `name`.
    Prompt,
    /// Called by `uri`.
    Resource,
    /// Called by `uriTemplate` (RFC 6570).
    ResourceTemplate,
}

/// All that one server offers besides tools, at one moment. Immutable, shared by every session that sees it.
#[derive(Debug, Default)]
pub struct ServerOffer {
    prompts: Vec<Arc<Declaration>>,
    resources: Vec<Arc<Declaration>>,
    templates: Vec<Arc<Declaration>>,
    /// Of prompts, resources and templates.
    hashes: [u64; 3],
}

impl OfferKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Prompt, Self::Resource, Self::ResourceTemplate];

    /// The method that lists them.
    pub fn list_method(self) -> &'static str {
        match self {
            Self::Prompt => "prompts/list",
            Self::Resource => "resources/list",
            Self::ResourceTemplate => "resources/templates/list",
        }
    }

    /// The member of a list's result that has them.
    pub fn list_member(self) -> &'static str {
        match self {
            Self::Prompt => "prompts",
            Self::Resource => "resources",
            Self::ResourceTemplate => "resourceTemplates",
        }
    }

    /// The member of a declaration that it is called by.
    pub fn key_member(self) -> &'static str {
        match self {
            Self::Prompt => "name",
            Self::Resource => "uri",
            Self::ResourceTemplate => "uriTemplate",
        }
    }

    /// The capability that a server with such things declares.
    pub fn capability(self) -> &'static str {
        match self {
            Self::Prompt => "prompts",
            Self::Resource | Self::ResourceTemplate => "resources",
        }
    }
}

impl Declaration {
    /// Longest name or URI, in bytes.
    const MAX_KEY: usize = 8 * 1024;

    /// Reads a declaration; `None` where it has nothing to be called by.
    pub fn parse(kind: OfferKind, raw: RawJson) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Declared<'a> {
            #[serde(borrow)]
            name: Option<&'a RawValue>,
            #[serde(borrow)]
            uri: Option<&'a RawValue>,
            #[serde(borrow)]
            uri_template: Option<&'a RawValue>,
        }
        let declared: Declared<'_> = raw.read().ok()?;
        let key = match kind {
            OfferKind::Prompt => declared.name,
            OfferKind::Resource => declared.uri,
            OfferKind::ResourceTemplate => declared.uri_template,
        };
        let key: String = serde_json::from_str(key?.get()).ok()?;
        let is_usable = !key.is_empty() && key.len() <= Self::MAX_KEY && !key.chars().any(char::is_control);
        is_usable.then_some(Self { key, raw })
    }

    /// What its server calls it by: a name, a URI or a URI template.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The whole declaration, as it came.
    pub fn raw(&self) -> &RawJson {
        &self.raw
    }
}

impl ServerOffer {
    /// What a server declared.
    pub fn new(prompts: Vec<Declaration>, resources: Vec<Declaration>, templates: Vec<Declaration>) -> Self {
        let hashes = [&prompts, &resources, &templates].map(|all| {
            let mut hasher = DefaultHasher::new();
            all.hash(&mut hasher);
            hasher.finish()
        });
        let share = |all: Vec<Declaration>| all.into_iter().map(Arc::new).collect();
        Self { prompts: share(prompts), resources: share(resources), templates: share(templates), hashes }
    }

    /// The declarations of one kind, in the server's order.
    pub fn of(&self, kind: OfferKind) -> &[Arc<Declaration>] {
        match kind {
            OfferKind::Prompt => &self.prompts,
            OfferKind::Resource => &self.resources,
            OfferKind::ResourceTemplate => &self.templates,
        }
    }

    /// A hash of the declarations of one kind. Equal content has an equal hash within one process.
    pub fn hash_of(&self, kind: OfferKind) -> u64 {
        let [prompts, resources, templates] = self.hashes;
        match kind {
            OfferKind::Prompt => prompts,
            OfferKind::Resource => resources,
            OfferKind::ResourceTemplate => templates,
        }
    }

    /// The hashes of all kinds.
    pub fn content_hash(&self) -> [u64; 3] {
        self.hashes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_needs_what_it_is_called_by() {
        let check = |kind: OfferKind, text: &str, expected: Option<&str>| {
            let raw = RawJson::parse(text.to_owned()).expect("JSON");
            assert_eq!(Declaration::parse(kind, raw).map(|found| found.key), expected.map(str::to_owned), "{text}");
        };
        check(OfferKind::Prompt, r#"{"name":"p","uri":"u","x":1.0}"#, Some("p"));
        check(OfferKind::Resource, r#"{"name":5,"uri":"u:x"}"#, Some("u:x"));
        check(OfferKind::ResourceTemplate, r#"{"uriTemplate":"u:{x}"}"#, Some("u:{x}"));
        check(OfferKind::Resource, r#"{"name":"p"}"#, None);
        check(OfferKind::Resource, r#"{"uri":"a\nb"}"#, None);
        check(OfferKind::Prompt, r#"{"name":""}"#, None);
        check(OfferKind::Prompt, "7", None);
    }
}
