//! The dashboard: a page that shows what the gateway does.
