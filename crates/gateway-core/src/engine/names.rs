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
}

#[derive(Debug)]
struct ItemNames {
    /// What its server calls it.
    own: Box<str>,
    plain: Arc<str>,
    full: Arc<str>,
    own_hash: u64,
    plain_hash: u64,
    full_hash: u64,
}

impl NameSheet {
    /// Of a server and what it calls its things.
    pub(super) fn new<'a>(server: &str, items: impl Iterator<Item = &'a str>) -> Self {
        let names = |own: &str| {
            let (plain, full) = (naming::plain(server, own), naming::qualified(server, own));
            ItemNames {
                own_hash: HASHES.hash_one(own),
                plain_hash: HASHES.hash_one(plain.as_str()),
                full_hash: HASHES.hash_one(full.as_str()),
                own: own.into(),
                plain: plain.into(),
                full: full.into(),
            }
        };
        Self { server: server.into(), items: items.map(names).collect() }
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
        let found = self.by_own.find(HASHES.hash_one(own), |same| *own_name(&self.sheets, same).own == *own);
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
        let item = self.item(place);
        if form != Form::Full && self.entry(item.full_hash, &item.full).is_none() {
            self.insert(item.full_hash, place, Form::Full);
        }
        form
    }

    /// The things that their servers call as this one's does.
    fn same(&self, place: Place) -> &[Place] {
        let ItemNames { own, own_hash, .. } = self.item(place);
        let found = self.by_own.find(*own_hash, |same| own_name(&self.sheets, same).own == *own);
        found.map_or(&[], Same::places)
    }

    /// Gives a thing the name that it wants, or one made of it where another thing has that.
    fn claim(&mut self, place: Place, wanted: Form) -> Form {
        let item = self.item(place);
        let hash = if wanted == Form::Plain { item.plain_hash } else { item.full_hash };
        let mut name = Arc::clone(self.name(place, wanted));
        if self.entry(hash, &name).is_none() {
            self.insert(hash, place, wanted);
            return wanted;
        }
        let mut round = 0;
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
            let item = item(sheets, *place);
            match form {
                Form::Full => item.full_hash,
                Form::Plain => item.plain_hash,
                Form::Distinguished => HASHES.hash_one(&**distinguished.get(place).unwrap_or(&item.full)),
            }
        });
    }
}

/// All things by what their servers call them.
fn by_own(sheets: &[Arc<NameSheet>], total: usize) -> HashTable<Same> {
    let mut table = HashTable::with_capacity(total);
    for (server, sheet) in sheets.iter().enumerate() {
        for (place, named) in sheet.items.iter().enumerate() {
            let place = Place::new(server, place);
            let is_same = |same: &Same| own_name(sheets, same).own == named.own;
            match table.entry(named.own_hash, is_same, |same| own_name(sheets, same).own_hash) {
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

fn own_name<'a>(sheets: &'a [Arc<NameSheet>], same: &Same) -> &'a ItemNames {
    let first = same.places().first().expect("only what was found once stands in the table");
    item(sheets, *first)
}
