//! Sets of requests, each with its catalogue of tools.
//!
//! A set is a folder:
//!
//! ```text
//! queries.jsonl      {"id", "query", "gold": [tool id, …], "alternatives"?: {gold id: [equally right ids]}}
//! corpus.jsonl       {"id", "server", "name", "description"?, "input_schema", "server_description"?}
//! CORPUS             in place of the corpus: the relative path of one that several sets share
//! irrelevant.jsonl   may be there: {"id", "query"}: requests that no tool of the corpus answers
//! ```
//!
//! Each of them may be packed by gzip (`queries.jsonl.gz`).

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gateway_core::{RawJson, ServerTools, ToolRef};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::{Error, Result};
use crate::lines::{find, read, wrong};

/// Folders in folders, at most: a link may lead round in a circle.
const MAX_DEPTH: usize = 16;

/// Sets, and the catalogues that they share.
#[derive(Debug, Default)]
pub struct Data {
    /// In the order of their names.
    pub sets: Vec<Set>,
    /// The catalogues, each once.
    pub catalogues: Vec<Catalogue>,
}

/// Requests with what should be found.
#[derive(Debug)]
pub struct Set {
    /// The path of its folder below the one that was read.
    pub name: String,
    /// The requests.
    pub requests: Vec<Request>,
    /// Requests that no tool answers; mostly none.
    pub irrelevant: Vec<String>,
    /// Place of its catalogue in [`Data::catalogues`].
    pub catalogue: usize,
}

/// A request with what should be found.
#[derive(Debug)]
pub struct Request {
    /// In the caller's words.
    pub text: String,
    /// A slot for each thing wanted: the tools that meet it, the gold one first.
    pub slots: Vec<Vec<ToolRef>>,
}

/// Tools to find among.
#[derive(Debug)]
pub struct Catalogue {
    /// By server, in the order in which the file names the servers.
    pub servers: Vec<Arc<ServerTools>>,
    /// Where each id stands.
    places: HashMap<String, ToolRef>,
    /// The file.
    path: PathBuf,
}

impl Catalogue {
    /// How many tools there are.
    pub fn tools(&self) -> usize {
        self.servers.iter().map(|server| server.tools().len()).sum()
    }

    fn read(path: &Path) -> Result<Self> {
        let mut servers: Vec<ServerLines> = Vec::new();
        let mut known: HashMap<String, usize> = HashMap::new();
        let mut ids = HashSet::new();
        for line in read::<ToolLine>(path)? {
            let (number, line) = (line.number, line.value);
            if !ids.insert(line.id.clone()) {
                return Err(wrong(
                    path,
                    number,
                    format!("`id` is {:?}, which an earlier line has: each tool once", line.id),
                ));
            }
            let place = *known.entry(line.server.clone()).or_insert(servers.len());
            if place == servers.len() {
                servers.push(ServerLines { name: line.server, about: line.server_description, ..Default::default() });
            }
            let declared = serde_json::json!({
                "name": line.name, "description": line.description, "inputSchema": line.input_schema,
            });
            let declared = RawJson::from_value(&declared).map_err(|error| wrong(path, number, error.to_string()))?;
            servers[place].tools.push((number, line.id, line.name));
            servers[place].declared.push(declared);
        }
        if servers.is_empty() {
            return Err(Error::data(path, "has no tools: each line must be one"));
        }
        let mut catalogue = Self { servers: Vec::new(), places: HashMap::new(), path: path.to_owned() };
        for lines in servers {
            catalogue.add(lines)?;
        }
        Ok(catalogue)
    }

    fn add(&mut self, lines: ServerLines) -> Result<()> {
        let tools = ServerTools::new(lines.name, lines.about, lines.declared);
        let server = u32::try_from(self.servers.len()).expect("a file has fewer than 4 billion lines");
        let by_name: HashMap<&str, u32> = tools.tools().iter().map(|tool| tool.name()).zip(0..).collect();
        for (number, id, name) in lines.tools {
            // A name that a server has twice counts once, as in the gateway: both ids are the first one's tool.
            let Some(tool) = by_name.get(name.as_str()) else {
                let rejected = tools.rejected().iter().find(|rejected| rejected.name.as_deref() == Some(&name));
                let reason = rejected.map_or("its name is no name of a tool", |rejected| &rejected.reason);
                return Err(wrong(&self.path, number, format!("the tool {id:?} cannot be read: {reason}")));
            };
            self.places.insert(id, ToolRef { server, tool: *tool });
        }
        self.servers.push(Arc::new(tools));
        Ok(())
    }
}

impl Data {
    /// Reads all sets in `folder`, at any depth, and `folder` itself where it is one.
    ///
    /// # Errors
    /// Where there is no set, or one that cannot be read, with the file, the line and the field.
    pub fn read(folder: &Path) -> Result<Self> {
        let mut folders = Vec::new();
        collect(folder, 0, &mut folders)?;
        folders.sort();
        if folders.is_empty() {
            return Err(Error::data(folder, "holds no set: a folder with `queries.jsonl` or `queries.jsonl.gz`"));
        }
        let mut data = Self::default();
        for path in &folders {
            // The folder itself has no name below itself.
            let below = path.strip_prefix(folder).ok().filter(|below| !below.as_os_str().is_empty());
            let name = below.map_or_else(|| path.file_name().unwrap_or_default().into(), Path::to_owned);
            data.add(path, name.to_string_lossy().replace('\\', "/"))?;
        }
        Ok(data)
    }

    /// The catalogue of `set`, which must be one of these.
    pub fn catalogue(&self, set: &Set) -> &Catalogue {
        &self.catalogues[set.catalogue]
    }

    /// With the sets of `other` after these.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        let before = self.catalogues.len();
        self.catalogues.extend(other.catalogues);
        self.sets.extend(other.sets.into_iter().map(|set| Set { catalogue: set.catalogue + before, ..set }));
        self
    }

    fn add(&mut self, folder: &Path, name: String) -> Result<()> {
        let path = corpus_of(folder)?;
        let catalogue = match self.catalogues.iter().position(|known| known.path == path) {
            Some(known) => known,
            None => {
                self.catalogues.push(Catalogue::read(&path)?);
                self.catalogues.len() - 1
            }
        };
        let requests = read_requests(folder, &self.catalogues[catalogue])?;
        let irrelevant = match find(folder, "irrelevant.jsonl") {
            Some(path) => read::<IrrelevantLine>(&path)?.into_iter().map(|line| line.value.query).collect(),
            None => Vec::new(),
        };
        self.sets.push(Set { name, requests, irrelevant, catalogue });
        Ok(())
    }
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

#[derive(Deserialize)]
struct QueryLine {
    id: String,
    query: String,
    gold: Vec<String>,
    #[serde(default)]
    alternatives: HashMap<String, Vec<String>>,
}

#[derive(Deserialize)]
struct IrrelevantLine {
    query: String,
}

/// The lines of one server.
#[derive(Default)]
struct ServerLines {
    name: String,
    about: String,
    /// Line, id and name of each tool.
    tools: Vec<(usize, String, String)>,
    declared: Vec<RawJson>,
}

fn collect(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<()> {
    if find(folder, "queries.jsonl").is_some() {
        found.push(folder.to_owned());
    }
    if depth == MAX_DEPTH {
        return Ok(());
    }
    for entry in fs::read_dir(folder).map_err(Error::file(folder, "list"))? {
        let path = entry.map_err(Error::file(folder, "list"))?.path();
        if path.is_dir() {
            collect(&path, depth + 1, found)?;
        }
    }
    Ok(())
}

/// The file with the tools of the set in `folder`.
fn corpus_of(folder: &Path) -> Result<PathBuf> {
    let reference = folder.join("CORPUS");
    let path = match fs::read_to_string(&reference) {
        Ok(path) => {
            let path = folder.join(path.trim());
            // It may name the file as it is before packing.
            let (parent, name) = (path.parent().unwrap_or(folder), path.file_name().unwrap_or_default());
            let found = find(parent, &name.to_string_lossy());
            found.ok_or_else(|| Error::data(&reference, format!("names {}, which is no file", path.display())))?
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            find(folder, "corpus.jsonl").ok_or_else(|| {
                Error::data(folder, "has requests but no tools: add `corpus.jsonl`, `corpus.jsonl.gz` or `CORPUS`")
            })?
        }
        Err(error) => return Err(Error::file(&reference, "read")(error)),
    };
    path.canonicalize().map_err(Error::file(&path, "read"))
}

fn read_requests(folder: &Path, catalogue: &Catalogue) -> Result<Vec<Request>> {
    let path = find(folder, "queries.jsonl").ok_or_else(|| Error::data(folder, "has no `queries.jsonl`"))?;
    let mut requests = Vec::new();
    let mut ids = HashSet::new();
    for line in read::<QueryLine>(&path)? {
        let (number, line) = (line.number, line.value);
        let wrong = |problem: String| wrong(&path, number, problem);
        if line.gold.is_empty() {
            return Err(wrong(
                "`gold` is empty: a request that no tool answers belongs in `irrelevant.jsonl`".to_owned(),
            ));
        }
        if let Some(other) = line.alternatives.keys().find(|id| !line.gold.contains(id)) {
            return Err(wrong(format!("`alternatives` has {other:?}, which is not in `gold`")));
        }
        if !ids.insert(line.id.clone()) {
            return Err(wrong(format!("`id` is {:?}, which an earlier line has: each request once", line.id)));
        }
        let place = |field: &str, id: &String| {
            let place = catalogue.places.get(id).copied();
            place.ok_or_else(|| wrong(format!("`{field}` names {id:?}, which is not in {}", catalogue.path.display())))
        };
        let mut slots = Vec::with_capacity(line.gold.len());
        for gold in &line.gold {
            let others = line.alternatives.get(gold).into_iter().flatten();
            let others = others.map(|id| place("alternatives", id));
            slots.push(std::iter::once(place("gold", gold)).chain(others).collect::<Result<Vec<ToolRef>>>()?);
        }
        requests.push(Request { text: line.query, slots });
    }
    if requests.is_empty() {
        return Err(Error::data(&path, "has no requests: each line must be one"));
    }
    Ok(requests)
}
