//! Web pages as Exa describes them, cut to a size that a model can read.

use rmcp::schemars;
use serde::Serialize;
use serde_json::Value;

/// Longest title, author or excerpt, in characters.
const MAX_LINE_CHARS: usize = 1_000;

/// Pages, and which could not be read.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
pub struct Pages {
    /// The pages, the best first.
    pub pages: Vec<Page>,
    /// Pages that could not be read, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<Failed>,
}

/// A web page.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
pub struct Page {
    /// Its address.
    pub url: String,
    /// Its title.
    pub title: String,
    /// When it was published, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published: Option<String>,
    /// Who wrote it, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Excerpts that have to do with the query.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub excerpts: Vec<String>,
    /// Its text, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// A page that could not be read.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
pub struct Failed {
    /// Its address.
    pub url: String,
    /// Why.
    pub reason: String,
}

/// An answer to a question.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
pub struct Answer {
    /// The answer.
    pub answer: String,
    /// What it rests on.
    pub sources: Vec<Page>,
}

impl Pages {
    /// Reads an answer of `/search` or `/contents`: at most `count` pages, with at most so many characters of text.
    pub fn read(answer: &Value, count: usize, text_chars: usize) -> Self {
        let results = answer["results"].as_array().into_iter().flatten();
        let pages = results.take(count).map(|page| Page::read(page, text_chars)).collect();
        let statuses = answer["statuses"].as_array().into_iter().flatten();
        let failed = statuses.filter(|status| status["status"] == "error").take(count).map(Failed::read).collect();
        Self { pages, failed }
    }

    /// The pages for people, and for models that read no structured content.
    pub fn to_text(&self) -> String {
        let mut parts: Vec<String> = self.pages.iter().map(Page::to_text).collect();
        parts.extend(self.failed.iter().map(|failed| format!("{}: {}", failed.url, failed.reason)));
        match parts.is_empty() {
            true => "Nothing was found.".to_owned(),
            false => parts.join("\n\n"),
        }
    }
}

impl Page {
    fn read(page: &Value, text_chars: usize) -> Self {
        let text = |name: &str| page[name].as_str().filter(|text| !text.is_empty());
        let line = |name: &str| text(name).map(|text| clipped(text, MAX_LINE_CHARS));
        let excerpts = page["highlights"].as_array().into_iter().flatten().filter_map(Value::as_str);
        Self {
            url: line("url").or_else(|| line("id")).unwrap_or_default(),
            title: line("title").unwrap_or_default(),
            published: line("publishedDate"),
            author: line("author"),
            excerpts: excerpts.take(5).map(|excerpt| clipped(excerpt, MAX_LINE_CHARS)).collect(),
            text: text("text").filter(|_| text_chars > 0).map(|text| clipped(text, text_chars)),
        }
    }

    fn to_text(&self) -> String {
        let about: Vec<&str> = [&self.published, &self.author].into_iter().flatten().map(String::as_str).collect();
        let mut lines = vec![self.title.clone(), self.url.clone()];
        if !about.is_empty() {
            lines.push(about.join(", "));
        }
        lines.extend(self.excerpts.iter().map(|excerpt| format!("> {excerpt}")));
        lines.extend(self.text.clone());
        lines.retain(|line| !line.is_empty());
        lines.join("\n")
    }
}

impl Failed {
    fn read(status: &Value) -> Self {
        let tag = status["error"]["tag"].as_str().unwrap_or("unknown reason");
        let reason = match status["error"]["httpStatusCode"].as_u64() {
            Some(code) => format!("it cannot be read: {tag}, its server answered {code}"),
            None => format!("it cannot be read: {tag}"),
        };
        let url = clipped(status["id"].as_str().unwrap_or_default(), MAX_LINE_CHARS);
        Self { url, reason: clipped(&reason, MAX_LINE_CHARS) }
    }
}

impl Answer {
    /// Reads an answer of `/answer`.
    pub fn read(answer: &Value, count: usize, text_chars: usize) -> Self {
        let said = match &answer["answer"] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let sources = answer["citations"].as_array().into_iter().flatten();
        let sources = sources.take(count).map(|page| Page::read(page, 0)).collect();
        Self { answer: clipped(&said, text_chars), sources }
    }

    /// The answer for people.
    pub fn to_text(&self) -> String {
        let source = |page: &Page| format!("- {} {}", page.title, page.url);
        let sources: Vec<String> = self.sources.iter().map(source).collect();
        [vec![self.answer.clone()], sources].concat().join("\n")
    }
}

/// At most so many characters of a text, and a mark where some are left out.
fn clipped(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pages_are_cut_and_gaps_are_borne() {
        let page =
            json!({ "url": "https://a.example", "title": "é".repeat(2_000), "text": "x".repeat(50), "author": null });
        let answer = json!({ "results": [page, {}, {}], "statuses": [
            { "id": "https://a.example", "status": "success" },
            { "id": "https://b.example", "status": "error", "error": { "tag": "CRAWL_NOT_FOUND", "httpStatusCode": 404 } },
            { "id": "https://c.example", "status": "error" },
        ] });
        let pages = Pages::read(&answer, 2, 10);
        assert_eq!(pages.pages.len(), 2);
        assert_eq!(pages.pages[0].text.as_deref(), Some("xxxxxxxxxx…"));
        assert_eq!(pages.pages[0].title.chars().count(), 1_001);
        let text = pages.to_text();
        assert!(
            text.contains("https://b.example: it cannot be read: CRAWL_NOT_FOUND, its server answered 404"),
            "{text}"
        );
        assert!(text.contains("https://c.example: it cannot be read: unknown reason"), "{text}");
        assert_eq!(Pages::read(&json!({}), 5, 10).to_text(), "Nothing was found.");
    }

    #[test]
    fn answers_may_be_structured() {
        let answer = json!({ "answer": { "n": 1 }, "citations": [{ "title": "T", "url": "u", "text": "long" }] });
        assert_eq!(Answer::read(&answer, 5, 100).to_text(), "{\"n\":1}\n- T u");
        assert_eq!(Answer::read(&json!({ "answer": "abc" }), 5, 2).answer, "ab…");
    }
}
