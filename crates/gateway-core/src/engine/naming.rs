//! Names of tools across servers: `server__tool`, at most 64 characters of `[A-Za-z0-9_-]`.

use uuid::Uuid;

/// Longest name; what OpenAI's and Anthropic's function-calling interfaces accept.
const MAX_NAME: usize = 64;

/// Between the server's part and the tool's.
const SEPARATOR: &str = "__";

/// The full name of a tool.
pub(super) fn qualified(server: &str, tool: &str) -> String {
    let name = format!("{}{SEPARATOR}{}", safe(server), safe(tool));
    if name.len() <= MAX_NAME { name } else { distinguished(&name, server, tool, 0) }
}

/// The plain name of a tool.
pub(super) fn plain(server: &str, tool: &str) -> String {
    let name = safe(tool);
    if name.len() <= MAX_NAME { name } else { distinguished(&name, server, tool, 0) }
}

/// A name cut so that a short hash of what it stands for fits behind it. The same on every machine.
pub(super) fn distinguished(name: &str, server: &str, tool: &str, round: u32) -> String {
    let identity = format!("{server}\0{tool}\0{round}");
    let hash = Uuid::new_v5(&Uuid::NAMESPACE_OID, identity.as_bytes()).simple().to_string();
    let head: String = name.chars().take(MAX_NAME - 9).collect();
    format!("{head}_{}", &hash[..8])
}

/// With `_` for every character that some client would refuse.
fn safe(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' }).collect()
}

/// Whether a qualified name begins with this server's part.
pub(super) fn is_of_server(name: &str, server: &str) -> bool {
    name.strip_prefix(safe(server).as_str()).is_some_and(|rest| rest.starts_with(SEPARATOR))
}
