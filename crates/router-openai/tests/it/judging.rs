//! What the model is shown, and what becomes of its answer.

use gateway_core::{Query, Router, ToolRef};
use router_openai::OpenAiRouterConfig;

use crate::catalogue::{ask, ask_with, beneath, index, places, router, servers_of, tool};
use crate::fake_model::{Asked, FakeModel};

fn config() -> OpenAiRouterConfig {
    OpenAiRouterConfig::default()
}

fn candidates(candidates: usize) -> OpenAiRouterConfig {
    OpenAiRouterConfig { candidates, ..config() }
}

#[tokio::test]
async fn the_models_order_and_reasons_count() {
    let model = FakeModel::naming(&[("move_file", 35), ("delete_file", 90)]);
    let ranking = ask(&*index(&model, config()).await, "file").await;
    assert_eq!(ranking.answered_by, None);
    let seen: Vec<_> = ranking.matches.iter().map(|found| (found.tool, found.score, &*found.reasoning)).collect();
    assert_eq!(seen, [(tool(2), 0.9, "it is delete_file"), (tool(3), 0.35, "it is move_file")]);
}

#[tokio::test]
async fn the_model_sees_the_best_candidates_and_no_more() {
    let model = FakeModel::naming(&[("read_file", 90)]);
    let index = index(&model, candidates(3)).await;
    ask(&*index, "  read a\nfile ").await;
    let asked = Asked::of(&model.asked()[0]);
    assert_eq!(asked.request, "read a file");
    let shown: Vec<_> = asked.candidates.iter().map(|shown| &*shown.name).collect();
    assert_eq!(shown, ["read_file", "write_file", "delete_file"]);
    let first = &asked.candidates[0];
    assert_eq!((&*first.server, &*first.description), ("files", "Reads a file from disk"));
    assert_eq!((&*first.title, &*first.parameters), ("", "path"));
}

#[tokio::test]
async fn the_model_sees_only_what_the_caller_may_see() {
    let model = FakeModel::sensible();
    let index = index(&model, config()).await;
    let query = Query { text: "file", limit: 10, min_score: 0.0, visible: &|tool: ToolRef| tool.tool != 1 };
    let ranking = index.rank(&query).await.expect("an answer");
    assert!(!model.asked()[0].user.contains("write_file"));
    assert_eq!(places(&ranking), [0, 2, 3, 4]);
}

#[tokio::test]
async fn what_was_not_shown_follows_with_lower_scores() {
    let model = FakeModel::naming(&[("write_file", 80)]);
    let index = index(&model, candidates(2)).await;
    let ranking = ask_with(&*index, "file", 10, 0.0).await;
    assert_eq!(places(&ranking), [1, 2, 3, 4]);
    assert!(ranking.matches[1..].iter().all(|found| found.score < 0.8 && found.score > 0.0));
    assert_eq!(ranking.matches[1].reasoning, beneath("file").await[2].reasoning);
    assert_eq!(places(&ask_with(&*index, "file", 3, 0.0).await), [1, 2, 3]);
    assert_eq!(places(&ask_with(&*index, "file", 10, 0.5).await), [1]);
    assert_eq!(model.count(), 1, "neither limit nor bar is the model's business");
}

#[tokio::test]
async fn a_doubtful_candidate_can_be_the_one() {
    // One word of five is shared.
    let text = "file shred wipe destroy purge";
    assert!(beneath(text).await[0].score < 0.3);
    let model = FakeModel::naming(&[("delete_file", 95)]);
    let ranking = ask_with(&*index(&model, config()).await, text, 10, 0.9).await;
    assert_eq!(places(&ranking), [2]);
}

#[tokio::test]
async fn where_the_model_finds_nothing_nothing_comes() {
    let model = FakeModel::naming(&[]);
    let ranking = ask(&*index(&model, candidates(2)).await, "file").await;
    assert_eq!((ranking.matches, ranking.answered_by), (vec![], None));
}

#[tokio::test]
async fn where_nobody_finds_anything_nobody_is_asked() {
    let model = FakeModel::sensible();
    let index = index(&model, config()).await;
    assert_eq!(ask(&*index, "zxqv").await.matches, []);
    assert_eq!(ask_with(&*index, "file", 0, 0.0).await.matches, []);
    assert_eq!(model.count(), 0);
}

#[tokio::test]
async fn no_candidates_count_as_one() {
    let model = FakeModel::naming(&[("read_file", 70)]);
    let ranking = ask_with(&*index(&model, candidates(0)).await, "file", 1, 0.0).await;
    assert_eq!(places(&ranking), [0]);
    assert_eq!(Asked::of(&model.asked()[0]).candidates.len(), 1);
}

#[tokio::test]
async fn a_bar_that_is_no_number_hides_nothing() {
    let model = FakeModel::naming(&[("read_file", 70)]);
    assert_eq!(places(&ask_with(&*index(&model, config()).await, "file", 9, f32::NAN).await), [0]);
}

#[tokio::test]
async fn long_texts_are_cut() {
    let model = FakeModel::sensible();
    let long = format!("file {}", "Ω very long ".repeat(100_000));
    let router = router(&model, OpenAiRouterConfig { max_description_bytes: 50, ..config() });
    let index = router.index(&servers_of(&[("a_file", &long)])).await.expect("an index");
    ask(&*index, &long).await;
    let request = &model.asked()[0];
    let asked = Asked::of(request);
    assert!(asked.request.len() <= 4_096 && asked.request.ends_with('…'));
    assert!(asked.candidates[0].description.len() <= 50);
    assert!(request.user.len() < 4_500, "{}", request.user.len());
    assert_eq!(request.max_output_tokens, 2_000);
}
