//! What all requests share: lists come in pages, and errors are told to people.

use rmcp::ServiceError;
use rmcp::model::PaginatedRequestParams;

/// Most pages of a list. rmcp's own `list_all_…` follow a server that leads in a circle for ever.
const MAX_PAGES: usize = 100;

/// All pages of a list: `request` asks for one, and `split` takes it apart into entries and the next cursor.
pub(crate) async fn all_pages<Page, Entry, Answer>(
    request: impl Fn(Option<PaginatedRequestParams>) -> Answer,
    split: impl Fn(Page) -> (Vec<Entry>, Option<String>),
) -> Result<Vec<Entry>, String>
where
    Answer: Future<Output = Result<Page, ServiceError>>,
{
    let mut all = Vec::new();
    let mut cursor = None;
    for _ in 0..MAX_PAGES {
        let params = PaginatedRequestParams::default().with_cursor(cursor);
        let (entries, next) = split(request(Some(params)).await.map_err(told)?);
        all.extend(entries);
        match next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    Ok(all)
}

/// An error for people: the server's own words, where it has said something.
pub(crate) fn told(error: ServiceError) -> String {
    match error {
        ServiceError::McpError(error) => error.message.into_owned(),
        other => other.to_string(),
    }
}
