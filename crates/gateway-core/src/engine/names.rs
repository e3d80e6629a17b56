//! The names of the tools or prompts of several servers, and which of them each name means.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::slice;
use std::sync::{Arc, LazyLock};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::naming;
use crate::{Prefix, ToolRef};

/// Hashes names; keyed, since they come from outside. One for the process, so that a name is hashed once and
/// not for each table that has it.
static HASHES: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// A thing by its place: the server's in a list of servers, and its own in the server's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) server: u32,
    pub(super) item: u32,
}

impl Place {
    pub(super) fn new(server: usize, item: usize) -> Self {
        Self { server: u32::try_from(server).unwrap_or(u32::MAX), item: u32::try_from(item).unwrap_or(u32::MAX) }
    }
}

impl From<Place> for ToolRef {
    fn from(place: Place) -> Self {
        Self { server: place.server, tool: place.item }
    }
}

/// All that the names of one server's things are made of, whatever other servers there are. Made once and shared
/// by the tables in which the server stands: a table of thousands of servers is made anew for each change of one.
#[derive(Debug)]
pub(super) struct NameSheet {
    server: Arc<str>,
    items: Box<[ItemNames]>,
    /// Apart from the names: a table is made of these, and hardly looks at a name.
    hashes: Box<[ItemHashes]>,
}

#[derive(Debug)]
struct ItemNames {
    /// What its server calls it.
    own: Box<str>,
    plain: Arc<str>,
    full: Arc<str>,
}

#[derive(Clone, Copy, Debug)]
struct ItemHashes {
    own: u64,
    plain: u64,
    full: u64,
}

impl NameSheet {
    /// Of a server and what it calls its things.
    pub(super) fn new<'a>(server: &str, items: impl Iterator<Item = &'a str>) -> Self {
        let names = |own: &str| ItemNames {
            own: own.into(),
            plain: naming::plain(server, own).into(),
            full: naming::qualified(server, own).into(),
        };
        let items: Box<[_]> = items.map(names).collect();
        let hashes = |item: &ItemNames| ItemHashes {
            own: HASHES.hash_one(&*item.own),
            plain: HASHES.hash_one(&*item.plain),
            full: HASHES.hash_one(&*item.full),
        };
        Self { server: server.into(), hashes: items.iter().map(hashes).collect(), items }
    }

    /// The server's name.
    pub(super) fn server(&self) -> &Arc<str> {
        &self.server
    }
}

/// Names across servers. Names are resolved by this table and never by splitting them.
#[derive(Debug, Default)]
pub(super) struct NameTable {
    sheets: Vec<Arc<NameSheet>>,
    /// How everything is shown, server by server.
    forms: Vec<Box<[Form]>>,
    /// The names that had to be made up, since others have the ones that were wanted.
    distinguished: HashMap<Place, Arc<str>>,
    by_name: HashTable<(Place, Form)>,
    by_own: HashTable<Same>,
}

/// Which of its possible names a thing has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Full,
    Plain,
    Distinguished,
}

/// The things that their servers call the same, in order.
#[derive(Debug)]
enum Same {
    One(Place),
    Several(Vec<Place>),
}

impl Same {
    fn places(&self) -> &[Place] {
        match self {
            Self::One(place) => slice::from_ref(place),
            Self::Several(places) => places,
        }
    }

    fn first(&self) -> Place {
        *self.places().first().expect("what stands in the table was found once")
    }

    fn add(&mut self, place: Place) {
        match self {
            Self::One(first) => *self = Self::Several(vec![*first, place]),
            Self::Several(places) => places.push(place),
        }
    }
}

impl NameTable {
    /// Gives everything its name. The order of the servers decides collisions.
    pub(super) fn new(sheets: Vec<Arc<NameSheet>>, prefix: Prefix) -> Self {
        let total = sheets.iter().map(|sheet| sheet.items.len()).sum();
        let mut table = Self {
            by_name: HashTable::with_capacity(total),
            by_own: by_own(&sheets, total),
            forms: Vec::with_capacity(sheets.len()),
            distinguished: HashMap::new(),
            sheets,
        };
        for server in 0..table.sheets.len() {
            let items = 0..table.sheets[server].items.len();
            let forms = items.map(|item| table.enter(Place::new(server, item), prefix)).collect();
            table.forms.push(forms);
        }
        table
    }

    /// What a thing is called across servers.
    pub(super) fn shown(&self, place: Place) -> Option<&Arc<str>> {
        let form = *self.forms.get(place.server as usize)?.get(place.item as usize)?;
        Some(self.name(place, form))
    }

    /// The names of one server's things, in its order.
    pub(super) fn of_server(&self, server: usize) -> impl Iterator<Item = &Arc<str>> {
        let forms = self.forms.get(server).map_or(&[] as &[Form], |forms| forms);
        forms.iter().enumerate().map(move |(item, form)| self.name(Place::new(server, item), *form))
    }

    /// The thing that has this name across servers.
    pub(super) fn named(&self, name: &str) -> Option<Place> {
        self.entry(HASHES.hash_one(name), name).map(|(place, _)| *place)
    }

    /// The things that their servers call so.
    pub(super) fn called(&self, own: &str) -> &[Place] {
        let found = self.by_own.find(HASHES.hash_one(own), |same| own_name(&self.sheets, same) == own);
        found.map_or(&[], Same::places)
    }

    fn item(&self, place: Place) -> &ItemNames {
        item(&self.sheets, place)
    }

    fn name(&self, place: Place, form: Form) -> &Arc<str> {
        let item = self.item(place);
        match form {
            Form::Full => &item.full,
            Form::Plain => &item.plain,
            Form::Distinguished => self.distinguished.get(&place).unwrap_or(&item.full),
        }
    }

    fn entry(&self, hash: u64, name: &str) -> Option<&(Place, Form)> {
        self.by_name.find(hash, |(place, form)| **self.name(*place, *form) == *name)
    }

    /// Enters one thing and returns how it is shown.
    fn enter(&mut self, place: Place, prefix: Prefix) -> Form {
        let is_plain = match prefix {
            Prefix::Always => false,
            Prefix::OnCollision => self.same(place).len() == 1,
            Prefix::Never => self.same(place).first() == Some(&place),
        };
        let form = self.claim(place, if is_plain { Form::Plain } else { Form::Full });
        // The full form always works, whatever the thing is shown as.
        let hash = hashes(&self.sheets, place).full;
        if form != Form::Full && !self.is_taken(hash, place, Form::Full) {
            self.insert(hash, place, Form::Full);
        }
        form
    }

    /// The things that their servers call as this one's does.
    fn same(&self, place: Place) -> &[Place] {
        let is_same = |same: &Same| own_name(&self.sheets, same) == &*self.item(place).own;
        self.by_own.find(hashes(&self.sheets, place).own, is_same).map_or(&[], Same::places)
    }

    /// Gives a thing the name that it wants, or one made of it where another thing has that.
    fn claim(&mut self, place: Place, wanted: Form) -> Form {
        let ItemHashes { plain, full, .. } = *hashes(&self.sheets, place);
        let hash = if wanted == Form::Plain { plain } else { full };
        if !self.is_taken(hash, place, wanted) {
            self.insert(hash, place, wanted);
            return wanted;
        }
        let item = self.item(place);
        let (mut name, mut round) = (Arc::clone(self.name(place, wanted)), 0);
        let hash = loop {
            name = naming::distinguished(&name, &self.sheets[place.server as usize].server, &item.own, round).into();
            let hash = HASHES.hash_one(&*name);
            if self.entry(hash, &name).is_none() {
                break hash;
            }
            round += 1;
        };
        self.distinguished.insert(place, name);
        self.insert(hash, place, Form::Distinguished);
        Form::Distinguished
    }

    fn insert(&mut self, hash: u64, place: Place, form: Form) {
        let (sheets, distinguished) = (&self.sheets, &self.distinguished);
        self.by_name.insert_unique(hash, (place, form), |(place, form)| {
            let hashes = hashes(sheets, *place);
            match form {
                Form::Full => hashes.full,
                Form::Plain => hashes.plain,
                Form::Distinguished => distinguished.get(place).map_or(hashes.full, |name| HASHES.hash_one(&**name)),
            }
        });
    }

    /// Whether anything has the name that a thing would have in this form. `hash` is that name's.
    fn is_taken(&self, hash: u64, place: Place, form: Form) -> bool {
        let taken = |(other, its): &(Place, Form)| self.name(*other, *its) == self.name(place, form);
        self.by_name.find(hash, taken).is_some()
    }
}

/// All things by what their servers call them.
fn by_own(sheets: &[Arc<NameSheet>], total: usize) -> HashTable<Same> {
    let mut table = HashTable::with_capacity(total);
    for (server, sheet) in sheets.iter().enumerate() {
        for (place, own) in sheet.hashes.iter().map(|hashes| hashes.own).enumerate() {
            let place = Place::new(server, place);
            let is_same = |same: &Same| own_name(sheets, same) == &*item(sheets, place).own;
            match table.entry(own, is_same, |same| hashes(sheets, same.first()).own) {
                Entry::Occupied(mut same) => same.get_mut().add(place),
                Entry::Vacant(vacant) => drop(vacant.insert(Same::One(place))),
            }
        }
    }
    table
}

fn item(sheets: &[Arc<NameSheet>], place: Place) -> &ItemNames {
    &sheets[place.server as usize].items[place.item as usize]
}

fn hashes(sheets: &[Arc<NameSheet>], place: Place) -> &ItemHashes {
    &sheets[place.server as usize].hashes[place.item as usize]
}

fn own_name<'a>(sheets: &'a [Arc<NameSheet>], same: &Same) -> &'a str {
    &item(sheets, same.first()).own
}
