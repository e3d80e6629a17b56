//! `/openapi.json`, the contract in `docs/rest-api.md` and the routes say the same.

use std::collections::{BTreeMap, BTreeSet};

use gateway_testkit::fakes::{Answer as Tool, FakeServer};
use serde_json::Value;

use crate::harness::{Door, Request, Setup};

/// What is said of one operation: `POST /mcp/search`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Operation {
    statuses: BTreeSet<String>,
    /// `> name: type` of the request, `< name?: type` of the answer with status 200, `+ name: type` of that with 202.
    fields: BTreeSet<String>,
}

type Contract = BTreeMap<String, Operation>;

fn document() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/rest-api.md")).unwrap()
}

/// Reads the block of `docs/rest-api.md` that is written for this test.
fn documented() -> Contract {
    let text = document();
    let block = text.split("```contract\n").nth(1).expect("the document has a contract").split("```").next().unwrap();
    let mut contract = Contract::new();
    let mut old_spellings = Vec::new();
    let mut name = "";
    for line in block.lines().filter(|line| !line.is_empty()) {
        match line.strip_prefix("  ") {
            None if line.contains(" = ") => {
                let (old, new) = line.split_once(" = ").unwrap();
                old_spellings.push((old.to_owned(), new.to_owned()));
            }
            None => {
                let (operation, statuses) = line.split_once(" -> ").expect("METHOD PATH -> STATUSES");
                name = operation;
                let statuses = statuses.split(' ').map(str::to_owned).collect();
                let known = contract.insert(name.to_owned(), Operation { statuses, ..Operation::default() });
                assert_eq!(known, None, "{name} is there twice");
            }
            Some(field) => {
                assert!(
                    contract.get_mut(name).unwrap().fields.insert(field.to_owned()),
                    "{name}: {field} is there twice"
                );
            }
        }
    }
    for (old, new) in old_spellings {
        let operation = contract.get(&new).expect("the new spelling").clone();
        contract.insert(old, operation);
    }
    contract
}

/// Reads the same out of OpenAPI.
fn described(openapi: &Value) -> Contract {
    let mut contract = Contract::new();
    for (path, item) in openapi["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let responses = operation["responses"].as_object().unwrap();
            let mut said = Operation { statuses: responses.keys().cloned().collect(), ..Operation::default() };
            let none = Value::Null;
            let queued = responses.get("202").unwrap_or(&none);
            let bodies = [(">", &operation["requestBody"]), ("<", &responses["200"]), ("+", queued)];
            for (direction, body) in bodies {
                let mut fields = Vec::new();
                flatten(openapi, &body["content"]["application/json"]["schema"], "", "", &mut fields);
                said.fields.extend(fields.into_iter().map(|field| format!("{direction} {field}")));
            }
            contract.insert(format!("{} {path}", method.to_uppercase()), said);
            for (status, response) in responses.iter().filter(|(status, _)| !status.starts_with('2')) {
                let schema = &response["content"]["application/json"]["schema"]["$ref"];
                assert_eq!(schema, "#/components/schemas/ProblemBody", "{path} {status}");
            }
        }
    }
    contract
}

/// Writes the fields of a schema as lines: `result[].match_score: number`, `servers{}.name: string`.
fn flatten(openapi: &Value, schema: &Value, name: &str, mark: &str, fields: &mut Vec<String>) {
    let schema = resolve(openapi, schema);
    let mut line = |kind: &str| {
        if !name.is_empty() {
            fields.push(format!("{name}{mark}: {kind}"));
        }
    };
    if let Some(choices) = schema["oneOf"].as_array() {
        let kinds: BTreeSet<_> =
            choices.iter().map(|choice| kind_of(resolve(openapi, choice))).filter(|kind| kind != "null").collect();
        if let ("", Some(body)) = (name, choices.iter().find(|choice| choice.get("$ref").is_some())) {
            return flatten(openapi, body, name, mark, fields);
        }
        return line(&kinds.into_iter().collect::<Vec<_>>().join("|"));
    }
    let kind = kind_of(schema);
    let items = resolve(openapi, &schema["items"]);
    if kind == "array" && items.get("properties").is_none() {
        return line(&format!("{}[]", kind_of(items)));
    }
    line(&kind);
    if kind == "array" {
        flatten_properties(openapi, items, &format!("{name}[]."), fields);
    } else if let Some(values) = schema.get("additionalProperties").filter(|values| values.is_object()) {
        let values = resolve(openapi, values);
        if values.get("properties").is_some() {
            flatten_properties(openapi, values, &format!("{name}{{}}."), fields);
        } else {
            fields.push(format!("{name}{{}}: {}", kind_of(values)));
        }
    } else {
        let prefix = if name.is_empty() { String::new() } else { format!("{name}.") };
        flatten_properties(openapi, schema, &prefix, fields);
    }
}

fn flatten_properties(openapi: &Value, schema: &Value, prefix: &str, fields: &mut Vec<String>) {
    let required: BTreeSet<_> =
        schema["required"].as_array().into_iter().flatten().map(|name| name.as_str().unwrap()).collect();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let mark = if required.contains(name.as_str()) { "" } else { "?" };
        flatten(openapi, property, &format!("{prefix}{name}"), mark, fields);
    }
}

fn resolve<'a>(openapi: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        None => schema,
        Some(path) => resolve(openapi, openapi.pointer(path.trim_start_matches('#')).expect(path)),
    }
}

fn kind_of(schema: &Value) -> String {
    match &schema["type"] {
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => panic!("a field that may be null: {kinds:?}"),
        _ => "object".to_owned(),
    }
}

#[tokio::test]
async fn openapi_says_what_the_document_says() {
    let openapi = Door::open().await.get("/openapi.json").await.ok();
    assert!(openapi["openapi"].as_str().unwrap().starts_with("3.1"));
    let (said, described) = (documented(), described(&openapi));
    for (name, operation) in &described {
        let documented = said.get(name).unwrap_or_else(|| panic!("{name} is not in the document: {operation:#?}"));
        assert_eq!(documented.statuses, operation.statuses, "{name}");
        let only =
            |one: &Operation, other: &Operation| one.fields.difference(&other.fields).cloned().collect::<Vec<_>>();
        assert_eq!(only(documented, operation), [""; 0], "{name}: only in the document");
        assert_eq!(only(operation, documented), [""; 0], "{name}: only in OpenAPI");
    }
    assert_eq!(said.keys().collect::<Vec<_>>(), described.keys().collect::<Vec<_>>());
}

#[tokio::test]
async fn openapi_is_whole() {
    let openapi = Door::open().await.get("/openapi.json").await.ok();
    let operations: Vec<_> =
        openapi["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values()).collect();
    let ids: BTreeSet<_> = operations.iter().map(|operation| operation["operationId"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), operations.len(), "operation ids repeat: {ids:?}");
    let text = openapi.to_string();
    for reference in text.split(r##""$ref":"#"##).skip(1) {
        let path = reference.split('"').next().unwrap();
        assert!(openapi.pointer(path).is_some(), "{path} is not there");
    }
    let problem = &openapi["components"]["schemas"]["ProblemBody"];
    assert_eq!(problem["required"], serde_json::json!(["error", "kind", "request_id", "status"]));
}

#[tokio::test]
async fn every_documented_path_leads_somewhere() {
    let door = Door::open().await;
    for name in documented().keys() {
        let (method, path) = name.split_once(' ').unwrap();
        let method = match method {
            "GET" => "GET",
            "POST" => "POST",
            "DELETE" => "DELETE",
            other => panic!("{other}"),
        };
        let request = Request::new(method, &path.replace("{id}", "sess_none"));
        let answer = door.ask(&request).await;
        assert_ne!(answer.status, 405, "{name}");
        assert!(!answer.body.contains("no such path"), "{name}: {answer:?}");
    }
}

/// Sends every example of the document and compares the answer with the one that the document shows: the
/// same fields with values of the same types.
#[tokio::test]
async fn the_examples_are_true() {
    let second = FakeServer::new().with_tool("calculate", "Evaluate an arithmetic expression", Tool::echo());
    let door = Door::with(Setup { servers: vec![("second", second)], ..Setup::default() }).await;
    let text = document();
    let mut shown_session = None;
    let mut session = String::new();
    let mut answered = BTreeSet::new();
    for example in text.split("```http\n").skip(1) {
        let (request, rest) = example.split_once("```").unwrap();
        let (head, body) = request.split_once("\n\n").unwrap_or((request, ""));
        let mut lines = head.trim().lines();
        let line = lines.next().unwrap();
        let line = shown_session.as_ref().map_or(line.to_owned(), |shown: &String| line.replace(shown, &session));
        let (method, path) = line.split_once(' ').unwrap();
        let mut request = match method {
            "POST" => Request::post(path, body.trim()),
            "DELETE" => Request::new("DELETE", path),
            _ => Request::new("GET", path),
        };
        for header in lines {
            let (name, value) = header.split_once(": ").unwrap();
            request = request.with(name, value);
        }
        let is_queued = path.starts_with("/mcp/requests/");
        let mut answer = door.ask(&request).await;
        while is_queued && answer.json()["status"] != "completed" {
            answer = door.ask(&request).await;
        }
        let (kind, shown) = rest.split_once("```").unwrap().1.split_once('\n').unwrap();
        let shown = shown.split("```").next().unwrap();
        match kind {
            "json" => {
                let shown: Value = serde_json::from_str(shown).unwrap_or_else(|error| panic!("{line}: {error}"));
                same_shape(&line, &shown, &answer.json());
                if path == "/sessions/create" {
                    shown_session = Some(shown["session_id"].as_str().unwrap().to_owned());
                    answer.json()["session_id"].as_str().unwrap().clone_into(&mut session);
                }
            }
            _ => assert_eq!(answer.status, 200, "{line}: {answer:?}"),
        }
        let path = if session.is_empty() { path.to_owned() } else { path.replace(&session, "{id}") };
        let path = if is_queued { "/mcp/requests/{id}".to_owned() } else { path };
        answered.insert(format!("{method} {path}"));
    }
    let all: BTreeSet<_> = documented().into_keys().collect();
    assert_eq!(all.difference(&answered).collect::<Vec<_>>(), Vec::<&String>::new(), "operations without an example");
}

/// Checks that two values have the same fields. What tools and callers say of their own may be anything.
fn same_shape(place: &str, shown: &Value, found: &Value) {
    match (shown, found) {
        (Value::Object(shown), Value::Object(found)) => {
            let is_map =
                |keys: &serde_json::Map<String, Value>| keys.keys().all(|key| key.parse::<uuid::Uuid>().is_ok());
            if is_map(shown) && is_map(found) {
                for (shown, found) in shown.values().zip(found.values()) {
                    same_shape(&format!("{place}.*"), shown, found);
                }
                return;
            }
            assert_eq!(shown.keys().collect::<Vec<_>>(), found.keys().collect::<Vec<_>>(), "{place}");
            for (key, shown) in shown {
                if !["call_tool_result", "inputSchema", "input_schema", "metadata", "details"].contains(&key.as_str()) {
                    same_shape(&format!("{place}.{key}"), shown, &found[key]);
                }
            }
        }
        (Value::Array(shown), Value::Array(found)) => {
            assert_eq!(shown.is_empty(), found.is_empty(), "{place}");
            if let (Some(shown), Some(found)) = (shown.first(), found.first()) {
                same_shape(&format!("{place}[]"), shown, found);
            }
        }
        (shown, found) => {
            assert_eq!(std::mem::discriminant(shown), std::mem::discriminant(found), "{place}: {shown} {found}");
        }
    }
}
