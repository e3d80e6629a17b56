//! What every router must do, whatever its model does.

use std::sync::Arc;
use std::time::Duration;

use gateway_core::{ErrorKind, Router};
use gateway_testkit::suites;
use router_openai::OpenAiRouterConfig;

use crate::catalogue::router;
use crate::fake_model::FakeModel;

async fn passes(model: fn() -> Arc<FakeModel>, config: OpenAiRouterConfig) {
    let make = move || {
        let router: Arc<dyn Router> = Arc::new(router(&model(), config.clone()));
        async move { router }
    };
    suites::router(make).run().await.assert_passed();
}

#[tokio::test]
async fn with_a_sensible_model() {
    passes(FakeModel::sensible, OpenAiRouterConfig { max_calls_per_minute: 0, ..OpenAiRouterConfig::default() }).await;
}

#[tokio::test]
async fn with_fewer_candidates_than_are_asked_for() {
    let config = OpenAiRouterConfig { candidates: 1, max_calls_per_minute: 0, ..OpenAiRouterConfig::default() };
    passes(FakeModel::sensible, config).await;
}

#[tokio::test]
async fn with_a_model_that_fails() {
    passes(|| FakeModel::failing(ErrorKind::UpstreamFailed), OpenAiRouterConfig::default()).await;
    passes(|| FakeModel::failing(ErrorKind::Unauthenticated), OpenAiRouterConfig::default()).await;
}

#[tokio::test]
async fn with_a_model_that_talks_nonsense() {
    passes(|| FakeModel::saying("I would choose the first one!"), OpenAiRouterConfig::default()).await;
    passes(|| FakeModel::saying(r#"{"matches":[{"label":"x","score":1,"reason":""}]}"#), OpenAiRouterConfig::default())
        .await;
}

#[tokio::test]
async fn with_a_model_that_never_answers() {
    let config = OpenAiRouterConfig { timeout: Duration::from_millis(5), ..OpenAiRouterConfig::default() };
    passes(FakeModel::silent, config).await;
}
