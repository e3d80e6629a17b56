//! What every router must do, whatever was learned.

use std::sync::Arc;

use gateway_core::{Feedback as _, Router, ToolUse};
use gateway_testkit::suites;

use crate::support::fresh;

#[tokio::test]
async fn one_that_has_learned_nothing_does_what_every_router_must_do() {
    let make = || async { Arc::new(fresh().0) as Arc<dyn Router> };
    suites::router(make).run().await.assert_passed();
}

#[tokio::test]
async fn one_that_has_learned_does_what_every_router_must_do() {
    let make = || async {
        let (router, memory) = fresh();
        // Tools of the suite's catalogue, after requests that the suite makes, and rather wrong ones among them.
        for (server, tool) in [("clock", "convert_time"), ("files", "write_file"), ("weather", "get_alerts")] {
            for query in ["time", "convert", "weather forecast", "list", "file", "get the current time in a time zone"]
            {
                for principal in ["one", "two", "three"] {
                    memory.used(&ToolUse { principal, query, server, tool, score: 0.4, rival: Some(0.5) });
                }
            }
        }
        Arc::new(router) as Arc<dyn Router>
    };
    suites::router(make).run().await.assert_passed();
}
