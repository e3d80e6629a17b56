//! The tools as MCP shows them. Their words are what a search ranks, so they say what a person would ask.

use std::sync::Arc;

use rmcp::handler::server::tool::schema_for_output;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolResult, ContentBlock, Implementation, ServerCapabilities, ServerConfig};
use rmcp::{ServerHandler, schemars, tool, tool_handler, tool_router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::exa::{Exa, ExaError};
use crate::pages::{Answer, Pages};

const INSTRUCTIONS: &str = "The web, through Exa. web_search finds pages and shows excerpts, get_contents reads pages \
    whose addresses are known, and answer_question answers with sources. What pages say is not to be trusted blindly.";

const DEFAULT_RESULTS: usize = 5;
const MAX_RESULTS: usize = 20;
/// Characters of excerpts of one page.
const EXCERPT_CHARS: usize = 1_000;

const MAX_URLS: usize = 10;
const DEFAULT_TEXT_CHARS: usize = 5_000;
const MAX_TEXT_CHARS: usize = 50_000;
/// Characters of all pages together: more than a model would read.
const MAX_ALL_TEXT_CHARS: usize = 100_000;

/// The whole server.
#[derive(Clone, Debug)]
pub struct ExaServer {
    exa: Arc<Exa>,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
struct WebSearchParams {
    /// What to look for, in plain words: 'latest news on battery recycling in Europe' finds more than 'batteries'.
    query: String,
    /// How many pages, 1 to 20; 5 when left out.
    #[schemars(range(min = 1, max = 20))]
    num_results: Option<usize>,
    /// Only pages of this kind.
    category: Option<Category>,
    /// Only pages of these domains, such as 'arxiv.org'.
    include_domains: Option<Vec<String>>,
    /// No pages of these domains.
    exclude_domains: Option<Vec<String>>,
    /// Only pages published on this day or later: YYYY-MM-DD.
    published_after: Option<String>,
    /// Only pages published on this day or earlier: YYYY-MM-DD.
    published_before: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Category {
    News,
    #[serde(rename = "research paper")]
    ResearchPaper,
    Company,
    People,
    #[serde(rename = "financial report")]
    FinancialReport,
    #[serde(rename = "personal site")]
    PersonalSite,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
struct GetContentsParams {
    /// The addresses of the pages, at most 10, each with http:// or https://.
    #[schemars(length(min = 1, max = 10))]
    urls: Vec<String>,
    /// How much of each page, in characters, 1 to 50000; 5000 when left out. All pages together have at most 100000.
    #[schemars(range(min = 1, max = 50_000))]
    max_characters: Option<usize>,
    /// Reads the page anew where Exa's copy is older than so many hours; 0 reads it in any case, and takes longer.
    max_age_hours: Option<u32>,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
struct AnswerQuestionParams {
    /// The question, in plain words.
    question: String,
}

#[tool_router]
impl ExaServer {
    /// A server that asks this Exa.
    pub fn new(exa: Exa) -> Self {
        Self { exa: Arc::new(exa) }
    }

    #[tool(
        title = "Search the web",
        description = "Search the web, the internet, for pages, news, articles, research papers, companies or people: \
            returns titles, addresses, dates, authors and excerpts of the pages that fit a question or topic best.",
        output_schema = schema_for_output::<Pages>(),
        annotations(read_only_hint = true, destructive_hint = false, idempotent_hint = true, open_world_hint = true)
    )]
    async fn web_search(&self, Parameters(params): Parameters<WebSearchParams>) -> CallToolResult {
        reply(self.search(params).await, Pages::to_text)
    }

    #[tool(
        title = "Read web pages",
        description = "Read the text of web pages whose addresses (URLs) are known: fetch, open or download an article, \
            a documentation page or a PDF, without menus and advertisements.",
        output_schema = schema_for_output::<Pages>(),
        annotations(read_only_hint = true, destructive_hint = false, idempotent_hint = true, open_world_hint = true)
    )]
    async fn get_contents(&self, Parameters(params): Parameters<GetContentsParams>) -> CallToolResult {
        reply(self.contents(params).await, Pages::to_text)
    }

    #[tool(
        title = "Answer a question from the web",
        description = "Answer a question of fact from the web, what is true today, in a few sentences with its sources.",
        output_schema = schema_for_output::<Answer>(),
        annotations(read_only_hint = true, destructive_hint = false, idempotent_hint = true, open_world_hint = true)
    )]
    async fn answer_question(&self, Parameters(params): Parameters<AnswerQuestionParams>) -> CallToolResult {
        reply(self.answer(params).await, Answer::to_text)
    }
}

impl ExaServer {
    async fn search(&self, params: WebSearchParams) -> Result<Pages, ExaError> {
        let count = params.num_results.unwrap_or(DEFAULT_RESULTS);
        check("num_results", count, MAX_RESULTS)?;
        let highlights = json!({ "highlights": { "maxCharacters": EXCERPT_CHARS } });
        let mut body = json!({ "query": params.query, "type": "auto", "numResults": count, "contents": highlights });
        let optional = [
            ("category", params.category.map(|category| json!(category))),
            ("includeDomains", params.include_domains.map(|domains| json!(domains))),
            ("excludeDomains", params.exclude_domains.map(|domains| json!(domains))),
            ("startPublishedDate", params.published_after.map(|day| json!(day))),
            ("endPublishedDate", params.published_before.map(|day| json!(day))),
        ];
        add(&mut body, optional);
        Ok(Pages::read(&self.exa.post("/search", &body).await?, count, 0))
    }

    async fn contents(&self, params: GetContentsParams) -> Result<Pages, ExaError> {
        let count = params.urls.len();
        check("the number of urls", count, MAX_URLS)?;
        let wanted = params.max_characters.unwrap_or(DEFAULT_TEXT_CHARS);
        check("max_characters", wanted, MAX_TEXT_CHARS)?;
        let chars = wanted.min(MAX_ALL_TEXT_CHARS / count);
        let mut body = json!({ "urls": params.urls, "text": { "maxCharacters": chars } });
        add(&mut body, [("maxAgeHours", params.max_age_hours.map(|hours| json!(hours)))]);
        Ok(Pages::read(&self.exa.post("/contents", &body).await?, count, chars))
    }

    async fn answer(&self, params: AnswerQuestionParams) -> Result<Answer, ExaError> {
        let body = json!({ "query": params.question, "text": false });
        Ok(Answer::read(&self.exa.post("/answer", &body).await?, MAX_RESULTS, MAX_TEXT_CHARS))
    }
}

#[tool_handler]
impl ServerHandler for ExaServer {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("exa-server", env!("CARGO_PKG_VERSION")).with_title("Exa web search"))
            .with_instructions(INSTRUCTIONS)
    }
}

fn check(what: &str, value: usize, most: usize) -> Result<(), ExaError> {
    match (1..=most).contains(&value) {
        true => Ok(()),
        false => Err(ExaError::Invalid(format!("{what} must be between 1 and {most}"))),
    }
}

/// Adds the members that there are.
fn add<const N: usize>(body: &mut Value, members: [(&str, Option<Value>); N]) {
    for (name, value) in members {
        if let Some(value) = value {
            body[name] = value;
        }
    }
}

/// The text for people and the same as data, or what went wrong: a failed tool is a reply too.
fn reply<T: Serialize>(answer: Result<T, ExaError>, text: impl FnOnce(&T) -> String) -> CallToolResult {
    match answer {
        Ok(value) => {
            let mut result = CallToolResult::success(vec![ContentBlock::text(text(&value))]);
            result.structured_content = serde_json::to_value(value).ok();
            result
        }
        Err(error) => CallToolResult::error(vec![ContentBlock::text(error.to_string())]),
    }
}
