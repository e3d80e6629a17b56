//! A search for servers that have none: by words, as simple as can be. A gateway does better.

use chat_terminal::FoundTool;
use rmcp::model::Tool;
use serde_json::Value;

/// The tools that have the most words of `query` in their names and descriptions.
pub(crate) fn rank(query: &str, limit: usize, tools: &[Tool]) -> Vec<FoundTool> {
    let wanted = words(query);
    let mut found: Vec<FoundTool> = tools.iter().map(|tool| found_tool(tool, &wanted)).collect();
    found.retain(|tool| tool.score > 0.0);
    found.sort_by(|one, other| other.score.total_cmp(&one.score));
    found.truncate(limit);
    found
}

fn found_tool(tool: &Tool, wanted: &[String]) -> FoundTool {
    let (title, description) =
        (tool.title.as_deref().unwrap_or_default(), tool.description.as_deref().unwrap_or_default());
    let offered = words(&format!("{} {title} {description}", tool.name));
    let hits = wanted.iter().filter(|word| offered.contains(word)).count();
    FoundTool {
        name: tool.name.to_string(),
        description: description.to_owned(),
        input_schema: Value::Object(tool.input_schema.as_ref().clone()),
        score: hits as f64 / wanted.len().max(1) as f64,
    }
}

fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tool_with_the_most_words_comes_first() {
        let tool = |name: &'static str, about: &'static str| Tool::new(name, about, serde_json::Map::new());
        let tools =
            [tool("echo", "Says it again."), tool("read_file", "Reads a file."), tool("list", "Lists the files.")];
        let names = |query: &str, limit| -> Vec<String> {
            rank(query, limit, &tools).into_iter().map(|tool| tool.name).collect()
        };
        assert_eq!(names("read the file", 5), ["read_file", "list"]);
        assert_eq!(names("read the file", 1), ["read_file"]);
        assert_eq!(names("bake a cake", 5), ["read_file"]);
        assert!(names("…", 5).is_empty() && names("", 5).is_empty());
    }
}
