//! Schemas that are not ours, and databases that are not there.

use gateway_core::{ErrorKind, Secret, SessionStore};
use session_store_postgres::{PostgresConfig, PostgresStore};

use crate::{Schema, admin, record};

/// What a schema holds, in words.
async fn contents(schema: &Schema) -> Vec<String> {
    let (admin, _tasks) = admin().await;
    let ask = "SELECT c.relname || ' ' || c.relkind::text || ' ' || coalesce(string_agg(a.attname, ',' ORDER BY a.attnum), '')
               FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid
               WHERE c.relnamespace = to_regnamespace(quote_ident($1)) GROUP BY c.oid, c.relname, c.relkind ORDER BY 1";
    admin.query(ask, &[&schema.0]).await.expect("asked").iter().map(|row| row.get(0)).collect()
}

async fn check_refused(schema: &Schema, words: &[&str]) {
    let before = contents(schema).await;
    let error = PostgresStore::connect(schema.config()).await.expect_err("it must be refused");
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
    for word in words.iter().chain(&[schema.0.as_str(), "nothing in it was changed"]) {
        assert!(error.message().contains(word), "{word:?} is not in {error}");
    }
    assert_eq!(contents(schema).await, before, "the schema after {error}");
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let schema = Schema::new();
    drop(schema.open().await);
    let (admin, _tasks) = admin().await;
    admin.batch_execute(&format!("UPDATE {}.gateway_schema SET version = 7", schema.0)).await.expect("made newer");
    check_refused(&schema, &["newer gateway", "version 7", "knows 1"]).await;
}

#[tokio::test]
async fn a_schema_of_another_program_is_refused() {
    let schema = Schema::new();
    let (admin, _tasks) = admin().await;
    admin.batch_execute(&format!("CREATE SCHEMA {0}; CREATE TABLE {0}.record (x int)", schema.0)).await.expect("made");
    check_refused(&schema, &["another program", "another schema"]).await;
}

#[tokio::test]
async fn a_schema_that_was_prepared_for_a_user_who_may_not_create_one_is_used() {
    let schema = Schema::new();
    let (admin, _tasks) = admin().await;
    let role = schema.0.clone();
    let made = format!("CREATE ROLE {role} LOGIN; CREATE SCHEMA {role} AUTHORIZATION {role}");
    admin.batch_execute(&made).await.expect("made");
    let url = Secret::new(format!("postgres://{role}@{}/test", crate::SERVER));
    let store = PostgresStore::connect(PostgresConfig { url, ..schema.config() }).await.expect("connected");
    store.create(record("sess_1", "x")).await.expect("created");
    drop(store);
    let other = format!("{}_no", &role[..20]);
    let url = Secret::new(format!("postgres://{role}@{}/test", crate::SERVER));
    let refused = PostgresStore::connect(PostgresConfig { url, schema: other, ..schema.config() }).await;
    let error = refused.expect_err("it may not create another");
    assert!(error.message().contains("permission denied"), "{error}");
    admin.batch_execute(&format!("DROP SCHEMA {role} CASCADE; DROP ROLE {role}")).await.expect("dropped");
}

#[tokio::test]
async fn a_database_that_is_not_there_is_unavailable_and_the_password_is_not_shown() {
    let schema = Schema::new();
    for (url, word) in [
        ("postgres://root:hunter2@127.0.0.1:1/test", "refused"),
        ("postgres://root:hunter2@127.0.0.1:5432/no_such_database", "no_such_database"),
        ("postgres://no_such_user:hunter2@127.0.0.1:5432/test", "no_such_user"),
    ] {
        let config = PostgresConfig { url: Secret::new(url), ..schema.config() };
        let error = PostgresStore::connect(config).await.expect_err("not there");
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().contains(word), "{word:?} is not in {error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}
