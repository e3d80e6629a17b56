//! What callers did to the default session's servers: the servers file and these changes together make its list.

use std::collections::HashSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::record::time;
use crate::{Error, ErrorKind, Result, ServerSpec, StoredSession};

/// The id of the record. No session has it: those begin with `sess_`.
pub(super) const GLOBAL: &str = "global";

/// The form of the record that this code writes, and the newest that it reads.
const VERSION: u32 = 1;

/// The changes. Replicas may have different servers files for a while: what these say of entries that a replica's file
/// does not have means nothing there, and stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct GlobalChanges {
    /// The servers that callers added. Where the file has the name as well, its entry counts, and the added one stands
    /// aside.
    pub(super) added: Vec<Arc<ServerSpec>>,
    /// The identities of the file's servers that callers removed. An entry that changes is another one.
    pub(super) removed: Vec<Uuid>,
}

#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    added: Vec<&'a ServerSpec>,
    removed: &'a [Uuid],
}

#[derive(Deserialize)]
struct Read {
    version: u32,
    #[serde(default)]
    added: serde_json::Value,
    #[serde(default)]
    removed: Vec<Uuid>,
}

impl GlobalChanges {
    /// The list: the file's servers in its order without the removed ones, then the added ones.
    pub(super) fn apply(&self, file: &[Arc<ServerSpec>]) -> Vec<Arc<ServerSpec>> {
        let removed: HashSet<_> = self.removed.iter().collect();
        let shown = file.iter().filter(|spec| !removed.contains(&spec.uuid()));
        let mut names = HashSet::new();
        shown.chain(&self.added).filter(|spec| names.insert(spec.name())).cloned().collect()
    }

    /// The changes that make `list` of `file`, after these.
    pub(super) fn leading_to<'a>(
        &self,
        list: impl Iterator<Item = &'a Arc<ServerSpec>> + Clone,
        file: &[Arc<ServerSpec>],
    ) -> Self {
        let in_file: HashSet<_> = file.iter().map(|spec| spec.uuid()).collect();
        let in_list: HashSet<_> = list.clone().map(|spec| spec.uuid()).collect();
        let names: HashSet<_> = list.clone().map(|spec| spec.name()).collect();
        let known: HashSet<_> = self.added.iter().map(|spec| spec.uuid()).collect();
        // One whose name is in the list is there itself, or stands aside for another one.
        let kept = self.added.iter().filter(|spec| names.contains(spec.name()));
        let new = list.filter(|spec| !in_file.contains(&spec.uuid()) && !known.contains(&spec.uuid()));
        let elsewhere = self.removed.iter().copied().filter(|uuid| !in_file.contains(uuid));
        let here = file.iter().map(|spec| spec.uuid()).filter(|uuid| !in_list.contains(uuid));
        Self { added: kept.cloned().chain(new.cloned()).collect(), removed: elsewhere.chain(here).collect() }
    }

    /// What is left of them when somebody edits the file. An entry that is taken out is forgotten, its removal too; a new
    /// one takes its name for good from what a caller added.
    pub(super) fn after_edit(&self, before: &[Arc<ServerSpec>], after: &[Arc<ServerSpec>]) -> Self {
        let uuids = |file: &[Arc<ServerSpec>]| -> HashSet<Uuid> { file.iter().map(|spec| spec.uuid()).collect() };
        let (old, new) = (uuids(before), uuids(after));
        let is_taken_out = |uuid: &Uuid| old.contains(uuid) && !new.contains(uuid);
        let removed: Vec<_> = self.removed.iter().copied().filter(|uuid| !is_taken_out(uuid)).collect();
        let is_claimed = |added: &ServerSpec| {
            let mut new = after.iter().filter(|spec| !old.contains(&spec.uuid()) && !removed.contains(&spec.uuid()));
            new.any(|spec| spec.name() == added.name())
        };
        let added = self.added.iter().filter(|spec| !is_claimed(spec)).cloned().collect();
        Self { added, removed }
    }

    /// The names of added servers that stand aside for others of the file.
    pub(super) fn standing_aside<'a>(&'a self, file: &'a [Arc<ServerSpec>]) -> impl Iterator<Item = &'a str> {
        let list: HashSet<_> = self.apply(file).iter().map(|spec| spec.uuid()).collect();
        self.added.iter().filter(move |spec| !list.contains(&spec.uuid())).map(|spec| spec.name())
    }

    /// The record of them. A store that keeps no secrets gets none: nobody can have added a server with some.
    pub(super) fn to_stored(&self, revision: u64, keeps_secrets: bool) -> Result<StoredSession> {
        let added = self.added.iter().filter(|spec| keeps_secrets || !spec.has_secrets()).map(|spec| &**spec).collect();
        let data =
            serde_json::to_vec(&Written { version: VERSION, added, removed: &self.removed }).map_err(|error| {
                Error::new(ErrorKind::Internal, "cannot write the servers that callers added").with_source(error)
            })?;
        Ok(StoredSession { id: GLOBAL.to_owned(), revision, expires_at: time(u64::MAX), data: data.into() })
    }

    /// The changes that a record keeps.
    ///
    /// # Errors
    /// `Internal` where it is none, or a newer one than this code knows.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let unreadable = |error| {
            let message = "the record `global` of the session store is not what a gateway writes there";
            Error::new(ErrorKind::Internal, message).with_source(error)
        };
        let Read { version, added, removed } = serde_json::from_slice(bytes).map_err(unreadable)?;
        if version > VERSION {
            let message = format!(
                "the record `global` of the session store was written by a newer gateway (version {version}; this one knows {VERSION})"
            );
            return Err(Error::new(ErrorKind::Internal, message));
        }
        let added: Vec<ServerSpec> = serde_json::from_value(added).map_err(unreadable)?;
        Ok(Self { added: added.into_iter().map(Arc::new).collect(), removed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Endpoint, Url};

    /// A server `name`; with a mark behind a dot it is another one of that name.
    fn spec(text: &str) -> Arc<ServerSpec> {
        let (name, mark) = text.split_once('.').unwrap_or((text, ""));
        let url = Url { url: format!("http://{mark}"), ..Url::default() };
        Arc::new(ServerSpec::new(name, "http", Endpoint::Url(url)).expect("valid"))
    }

    fn specs(text: &str) -> Vec<Arc<ServerSpec>> {
        text.split_whitespace().map(spec).collect()
    }

    fn changes(added: &str, removed: &str) -> GlobalChanges {
        GlobalChanges { added: specs(added), removed: specs(removed).iter().map(|spec| spec.uuid()).collect() }
    }

    #[test]
    fn file_and_changes_make_the_list() {
        let check = |file: &str, added: &str, removed: &str, expected: &str| {
            assert_eq!(changes(added, removed).apply(&specs(file)), specs(expected), "{file} + {added} - {removed}");
        };
        check("a b", "", "", "a b");
        check("a b", "c", "a", "b c");
        check("a.new b", "c", "a", "a.new b c");
        check("a b", "a.own c", "", "a b c");
        check("a b", "a.own", "a", "b a.own");
        check("b", "", "a", "b");
    }

    #[test]
    fn the_list_says_what_was_changed() {
        let check = |before: (&str, &str), file: &str, list: &str, after: (&str, &str)| {
            let found = changes(before.0, before.1).leading_to(specs(list).iter(), &specs(file));
            assert_eq!(found, changes(after.0, after.1), "{before:?} {file} {list}");
        };
        check(("", ""), "a b", "a b", ("", ""));
        check(("", ""), "a b", "b c", ("c", "a"));
        check(("c", "a"), "a b", "a b", ("", ""));
        // Another replica's file has had `x`; the caller's own `b` stands aside.
        check(("b.own", "x"), "a b", "a b", ("b.own", "x"));
        // Who removes what stands before it removes both.
        check(("b.own", ""), "a b", "a", ("", "b"));
    }

    #[test]
    fn an_edit_of_the_file_is_the_last_word() {
        let check = |before: (&str, &str), edit: (&str, &str), after: (&str, &str)| {
            let found = changes(before.0, before.1).after_edit(&specs(edit.0), &specs(edit.1));
            assert_eq!(found, changes(after.0, after.1), "{before:?} {edit:?}");
        };
        check(("c", "a"), ("a b", "a b d"), ("c", "a"));
        check(("c", "a"), ("a b", "b"), ("c", ""));
        check(("c d", ""), ("a b", "a b c.new"), ("d", ""));
        check(("c", "x"), ("a", "a"), ("c", "x"));
    }

    #[test]
    fn only_what_a_gateway_of_this_kind_wrote_is_read() {
        let kept = changes("c", "a").to_stored(7, true).expect("written");
        assert_eq!(GlobalChanges::from_bytes(&kept.data).expect("read"), changes("c", "a"));
        for (text, why) in [
            (r#"{"version":2,"added":[{"new":true}],"removed":[]}"#, "newer gateway"),
            (r#"{"version":1,"added":[{"new":true}]}"#, "not what a gateway writes"),
            ("{}", "not what a gateway writes"),
            ("\u{0}", "not what a gateway writes"),
        ] {
            let error = GlobalChanges::from_bytes(text.as_bytes()).expect_err(text);
            assert!(error.message().contains(why), "{text}: {error}");
        }
    }
}
