//! `/openapi.json`, `docs/rest-api.md` and the routes say the same.
