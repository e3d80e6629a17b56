//! The fixture's resources.

use super::declarations::{PNG, WATCHED};
use crate::reference::peer::list_head;
use crate::reference::wire::{Fault, INVALID_PARAMS, Params, quote};

/// What servers before 2026-07-28 say of a resource that is not there.
const RESOURCE_NOT_FOUND: i64 = -32002;

pub(super) fn read(params: &Params<'_>, modern: bool) -> Result<String, Fault> {
    let uri = uri(params)?;
    let content = content(uri).ok_or_else(|| not_found(uri, modern))?;
    Ok(format!(r#"{{{}"contents":[{{"uri":{},{content}}}]}}"#, list_head(modern), quote(uri)))
}

/// The `uri` that a request is about.
pub(super) fn uri<'p>(params: &'p Params<'_>) -> Result<&'p str, Fault> {
    params.uri.as_deref().ok_or_else(|| Fault::new(INVALID_PARAMS, "`uri` is missing"))
}

pub(super) fn exists(uri: &str) -> bool {
    content(uri).is_some()
}

pub(super) fn not_found(uri: &str, modern: bool) -> Fault {
    let code = if modern { INVALID_PARAMS } else { RESOURCE_NOT_FOUND };
    Fault::of_tool(code, "Resource not found").with_data(format!(r#"{{"uri":{}}}"#, quote(uri)))
}

/// The members of the content besides its URI.
fn content(uri: &str) -> Option<String> {
    Some(match uri {
        "test://static-text" => {
            r#""mimeType":"text/plain","text":"This is the content of the static text resource.""#.to_owned()
        }
        "test://static-binary" => format!(r#""mimeType":"image/png","blob":"{PNG}""#),
        WATCHED => r#""mimeType":"text/plain","text":"Watched resource content""#.to_owned(),
        uri => {
            let id = uri.strip_prefix("test://template/")?.strip_suffix("/data")?;
            let text = serde_json::json!({ "id": id, "templateTest": true, "data": format!("Data for ID: {id}") });
            format!(r#""mimeType":"application/json","text":{}"#, quote(&text.to_string()))
        }
    })
}
