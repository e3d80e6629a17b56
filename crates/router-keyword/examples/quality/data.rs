//! Reads sets of queries and tools.

use std::collections::HashMap;
use std::error::Error;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::GzDecoder;
use gateway_core::{RawJson, ServerTools, ToolRef};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Queries with what should be found, and the tools to find it among.
pub struct Set {
    /// Its folder's name.
    pub name: String,
    /// The queries.
    pub queries: Vec<Asked>,
    /// The tools, by server.
    pub servers: Vec<Arc<ServerTools>>,
}

/// A query with what should be found.
pub struct Asked {
    /// The query.
    pub text: String,
    /// What should be found: for each thing wanted, the tools that are equally right.
    pub wanted: Vec<Vec<ToolRef>>,
}

#[derive(Deserialize)]
struct QueryLine {
    query: String,
    gold: Vec<String>,
    #[serde(default)]
    alternatives: HashMap<String, Vec<String>>,
}

#[derive(Deserialize)]
struct ToolLine {
    id: String,
    server: String,
    name: String,
    #[serde(default)]
    description: String,
    input_schema: Box<RawValue>,
    #[serde(default)]
    server_description: String,
}

/// The lines of one server.
#[derive(Default)]
struct ServerLines {
    name: String,
    about: String,
    /// The id and the name of each tool.
    ids: Vec<(String, String)>,
    declared: Vec<RawJson>,
}

/// The tools by server, and where each id stands.
type Corpus = (Vec<Arc<ServerTools>>, HashMap<String, ToolRef>);

/// Reads all sets in `folder`: each a folder with `queries.jsonl.gz` and either `corpus.jsonl.gz` or a file
/// `CORPUS` that holds the relative path of one.
pub fn read_sets(folder: &Path) -> Result<Vec<Set>> {
    let mut folders: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<std::io::Result<_>>()?;
    folders.retain(|folder| folder.join("queries.jsonl.gz").is_file());
    folders.sort();
    folders.iter().map(|folder| read_set(folder)).collect()
}

fn read_set(folder: &Path) -> Result<Set> {
    let corpus = match fs::read_to_string(folder.join("CORPUS")) {
        Ok(path) => folder.join(path.trim()),
        Err(_) => folder.join("corpus.jsonl.gz"),
    };
    let (servers, places) = read_corpus(&corpus)?;
    let mut queries = Vec::new();
    for line in read_lines::<QueryLine>(&folder.join("queries.jsonl.gz"))? {
        let equal = |id: &String| {
            let others = line.alternatives.get(id).into_iter().flatten();
            [id].into_iter().chain(others).filter_map(|id| places.get(id).copied()).collect()
        };
        let wanted = line.gold.iter().map(equal).collect();
        queries.push(Asked { text: line.query, wanted });
    }
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Set { name, queries, servers })
}

fn read_corpus(path: &Path) -> Result<Corpus> {
    let mut servers: Vec<ServerLines> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    for line in read_lines::<ToolLine>(path)? {
        let place = *known.entry(line.server.clone()).or_insert(servers.len());
        if place == servers.len() {
            servers.push(ServerLines { name: line.server, about: line.server_description, ..ServerLines::default() });
        }
        let declared = RawJson::from_value(&serde_json::json!({
            "name": line.name,
            "description": line.description,
            "inputSchema": line.input_schema,
        }))?;
        servers[place].ids.push((line.id, line.name));
        servers[place].declared.push(declared);
    }
    let (mut all, mut places) = (Vec::new(), HashMap::new());
    for (server, lines) in (0..).zip(servers) {
        let tools = ServerTools::new(lines.name, lines.about, lines.declared);
        let by_name: HashMap<&str, u32> = tools.tools().iter().map(|tool| tool.name()).zip(0..).collect();
        for (id, name) in lines.ids {
            // A name that a server has twice counts once, as in the gateway.
            places.extend(by_name.get(name.as_str()).map(|tool| (id, ToolRef { server, tool: *tool })));
        }
        all.push(Arc::new(tools));
    }
    Ok((all, places))
}

fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let lines = BufReader::new(GzDecoder::new(file)).lines();
    lines.map(|line| Ok(serde_json::from_str(&line?)?)).collect()
}
