//! What the keys are called.

/// What the keys are called. No record can have one of these names: ids have no colon.
#[derive(Debug)]
pub(crate) struct Names {
    prefix: String,
    /// The sorted set of all ids, by their bytes.
    pub(crate) index: String,
    /// The sorted set of all ids, by when they end.
    pub(crate) ends: String,
    /// The channel that changes are told on.
    pub(crate) changes: String,
    /// The sorted set of all chunks of usage, by beginning and source.
    pub(crate) usage: String,
}

impl Names {
    pub(crate) fn new(prefix: String) -> Self {
        let name = |name: &str| format!("{prefix}:{name}");
        Self { index: name("index"), ends: name("ends"), changes: name("changes"), usage: name("usage"), prefix }
    }

    /// The hash of a record: revision, end, data, and who wrote it.
    pub(crate) fn record(&self, id: &str) -> String {
        format!("{}{id}", self.prefix)
    }

    /// What every record's key begins with.
    pub(crate) fn records(&self) -> &str {
        &self.prefix
    }

    /// The string of a chunk of usage.
    pub(crate) fn chunk(&self, member: &str) -> String {
        format!("{}:{member}", self.usage)
    }
}
