//! Backends with one fault each: their suite must catch each, by the behaviour that it breaks.

mod auths;
mod queues;
mod routers;
mod store_changes;
mod stores;
mod transports;
mod usage_stores;

use gateway_testkit::Suite;

/// Runs the behaviours that a fault breaks: each must be found not shown.
async fn check(fault: &str, suite: Suite, broken: &[&str]) {
    let report = suite.only(broken).run().await;
    for behaviour in broken {
        assert!(report.failed(behaviour), "{fault} is not caught by {behaviour}: {report}");
    }
}
