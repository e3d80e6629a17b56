//! The files that the page is made of, in the program itself.

use axum::response::Response;
use http::StatusCode;

use crate::answer::of_type;

const STYLE: &str = include_str!("assets/ui.css");
const SCRIPT: &str = include_str!("assets/ui.js");
const ICON: &str = include_str!("assets/icon.svg");

/// The style sheet.
pub(crate) fn style() -> Response {
    of_type(StatusCode::OK, "text/css; charset=utf-8", STYLE)
}

/// The script.
pub(crate) fn script() -> Response {
    of_type(StatusCode::OK, "text/javascript; charset=utf-8", SCRIPT)
}

/// The icon.
pub(crate) fn icon() -> Response {
    of_type(StatusCode::OK, "image/svg+xml", ICON)
}
