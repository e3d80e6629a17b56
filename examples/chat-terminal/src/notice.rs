//! What a tool tells while it works, as text.

use serde_json::Value;

/// The `params` of `notifications/progress`.
pub fn text_of_progress(params: &Value) -> String {
    let progress = params["progress"].as_f64().unwrap_or_default();
    let message = params["message"].as_str().unwrap_or_default();
    let steps = match params["total"].as_f64() {
        Some(total) => format!("{progress}/{total}"),
        None => progress.to_string(),
    };
    format!("  … {steps} {message}").trim_end().to_owned()
}

/// The `params` of `notifications/message`.
pub fn text_of_log(params: &Value) -> String {
    let level = params["level"].as_str().unwrap_or("log");
    let data = &params["data"];
    let text = data.as_str().map_or_else(|| data.to_string(), str::to_owned);
    match params["logger"].as_str() {
        Some(logger) => format!("  [{level}] {logger}: {text}"),
        None => format!("  [{level}] {text}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn notices_are_one_line() {
        let cases = [
            (json!({ "progress": 1, "total": 3, "message": "reading" }), "  … 1/3 reading"),
            (json!({ "progressToken": 7, "progress": 0.5 }), "  … 0.5"),
            (json!({ "progress": 50.0, "total": 100.0 }), "  … 50/100"),
        ];
        for (params, expected) in cases {
            assert_eq!(text_of_progress(&params), expected);
        }
        let cases = [
            (json!({ "level": "info", "logger": "db", "data": "open" }), "  [info] db: open"),
            (json!({ "level": "debug", "data": { "rows": 2 } }), "  [debug] {\"rows\":2}"),
        ];
        for (params, expected) in cases {
            assert_eq!(text_of_log(&params), expected);
        }
    }
}
