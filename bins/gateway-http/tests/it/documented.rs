//! What `docs/rest-api.md` promises: its examples, and the contract at its end.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// An example: a request, and the answer that is shown for it.
pub(crate) struct Example {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// `None` for an answer that is no JSON.
    pub(crate) shown: Option<Value>,
}

/// The contract: each operation (`POST /mcp/search`) with what may come of it.
pub(crate) struct Contract {
    operations: BTreeMap<String, Operation>,
}

#[derive(Clone, Debug, Default)]
struct Operation {
    statuses: BTreeSet<u16>,
    fields: Fields,
    /// Those of the answer with status 202.
    queued: Fields,
}

/// The fields of an answer with status 200: `result[].match_score`, `servers{}.name`.
#[derive(Clone, Debug, Default)]
struct Fields(BTreeMap<String, Field>);

#[derive(Clone, Debug)]
struct Field {
    kind: String,
    may_be_missing: bool,
}

fn document() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/rest-api.md");
    std::fs::read_to_string(path).expect("the document is where it was")
}

/// All examples, in the document's order.
pub(crate) fn examples() -> Vec<Example> {
    let document = document();
    document.split("```http\n").skip(1).map(example).collect()
}

fn example(text: &str) -> Example {
    let (request, rest) = text.split_once("```").expect("the block of a request ends");
    let (head, body) = request.split_once("\n\n").unwrap_or((request, ""));
    let mut lines = head.trim().lines();
    let (method, path) = lines.next().and_then(|line| line.split_once(' ')).expect("METHOD PATH");
    let headers = lines.filter_map(|line| line.split_once(": "));
    let (_, answer) = rest.split_once("```").expect("the block of an answer follows");
    let (language, answer) = answer.split_once('\n').expect("the block of an answer has lines");
    let shown = answer.split("```").next().unwrap_or_default();
    let is_json = language == "json";
    Example {
        method: method.to_owned(),
        path: path.to_owned(),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        body: body.trim().to_owned(),
        shown: is_json.then(|| serde_json::from_str(shown).unwrap_or_else(|error| panic!("{path}: {error}"))),
    }
}

impl Contract {
    /// Reads it.
    pub(crate) fn read() -> Self {
        let document = document();
        let block = document.split("```contract\n").nth(1).expect("the document has a contract");
        let block = block.split("```").next().unwrap_or_default();
        let (mut operations, mut older) = (BTreeMap::<String, Operation>::new(), Vec::new());
        let mut current = String::new();
        for line in block.lines() {
            let queued = line.strip_prefix("  + ");
            if let Some(field) = line.strip_prefix("  < ").or(queued) {
                let (name, kind) = field.split_once(": ").expect("NAME: TYPE");
                let (bare, may_be_missing) = (name.trim_end_matches('?'), name.ends_with('?'));
                let field = Field { kind: kind.to_owned(), may_be_missing };
                let operation = operations.entry(current.clone()).or_default();
                let fields = if queued.is_some() { &mut operation.queued } else { &mut operation.fields };
                fields.0.insert(bare.to_owned(), field);
            } else if let Some((name, statuses)) = line.split_once(" -> ") {
                name.clone_into(&mut current);
                let statuses = statuses.split(' ').map(|status| status.parse::<u16>().expect("a status"));
                operations.entry(current.clone()).or_default().statuses.extend(statuses);
            } else if let Some((old, new)) = line.split_once(" = ") {
                older.push((old.to_owned(), new.to_owned()));
            }
        }
        for (old, new) in older {
            let operation = operations.get(&new).expect("the newer spelling is there").clone();
            operations.insert(old, operation);
        }
        Self { operations }
    }

    /// All operations.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        self.operations.keys().cloned().collect()
    }

    /// All statuses of an operation.
    pub(crate) fn statuses(&self, name: &str) -> BTreeSet<u16> {
        self.operations.get(name).map(|operation| operation.statuses.clone()).unwrap_or_default()
    }

    /// Checks the JSON of a good answer: what must be there, of which type, and that nothing is there of
    /// which the document says nothing.
    #[track_caller]
    pub(crate) fn check(&self, name: &str, answer: &Value) {
        self.check_fields(name, |operation| &operation.fields, answer);
    }

    /// The same of an answer with status 202.
    #[track_caller]
    pub(crate) fn check_queued(&self, name: &str, answer: &Value) {
        self.check_fields(name, |operation| &operation.queued, answer);
    }

    #[track_caller]
    fn check_fields(&self, name: &str, fields: impl Fn(&Operation) -> &Fields, answer: &Value) {
        let operation = self.operations.get(name).unwrap_or_else(|| panic!("{name} is not in the contract"));
        let mut faults = Vec::new();
        fields(operation).check("", answer, &mut faults);
        assert!(faults.is_empty(), "{name}: {faults:#?} in {answer:#}");
    }
}

impl Fields {
    fn check(&self, path: &str, value: &Value, faults: &mut Vec<String>) {
        if let Some(field) = self.0.get(path)
            && !field.kind.split('|').any(|kind| is_of(kind, value))
        {
            faults.push(format!("{path} is {value} and should be of type {}", field.kind));
        }
        match value {
            Value::Object(map) => self.check_object(path, map, faults),
            Value::Array(items) => {
                for item in items {
                    self.check(&format!("{path}[]"), item, faults);
                }
            }
            _ => {}
        }
    }

    fn check_object(&self, path: &str, map: &serde_json::Map<String, Value>, faults: &mut Vec<String>) {
        let value_path = format!("{path}{{}}");
        if self.0.keys().any(|key| key.starts_with(&value_path)) {
            for value in map.values() {
                self.check(&value_path, value, faults);
            }
            return;
        }
        let prefix = if path.is_empty() { String::new() } else { format!("{path}.") };
        let children: BTreeMap<&str, &Field> = self
            .0
            .iter()
            .filter_map(|(key, field)| Some((key.strip_prefix(&prefix)?, field)))
            .filter(|(name, _)| !name.contains(['.', '[', '{']))
            .collect();
        // An object of which nothing is said may hold anything: metadata, schemas, results.
        if children.is_empty() {
            return;
        }
        for (name, field) in &children {
            if !field.may_be_missing && !map.contains_key(*name) {
                faults.push(format!("{prefix}{name} is missing"));
            }
        }
        for (name, value) in map {
            if children.contains_key(name.as_str()) {
                self.check(&format!("{prefix}{name}"), value, faults);
            } else if path != "tools[]" {
                // A tool has whatever its server declares.
                faults.push(format!("{prefix}{name} is in no contract"));
            }
        }
    }
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string[]" => value.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
        _ => panic!("the contract has the type {kind}, which this test does not know"),
    }
}
