//! The sample that comes with the repository is well formed, and so are the recorded scores.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use eval_routing::{Data, ENTRIES, Recorded, Settings};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data")
}

/// Reading it checks that ids are unique and that what is wanted is there.
#[test]
fn it_is_well_formed() {
    let data = Data::read(&folder().join("sample")).unwrap();
    let [set] = &data.sets[..] else { panic!("{} sets", data.sets.len()) };
    let catalogue = data.catalogue(set);
    assert_eq!(set.name, "sample");
    assert_eq!((set.requests.len(), set.irrelevant.len()), (200, 120));
    assert_eq!((catalogue.tools(), catalogue.servers.len()), (96, 20));
    assert!(catalogue.servers.iter().all(|server| server.rejected().is_empty()));
    let texts = set.requests.iter().map(|request| &request.text).chain(&set.irrelevant);
    let distinct: HashSet<&str> = texts.map(|text| text.trim()).filter(|text| !text.is_empty()).collect();
    assert_eq!(distinct.len(), 320, "a request comes twice or is empty");
}

#[test]
fn every_tool_is_wanted_by_somebody() {
    let data = Data::read(&folder().join("sample")).unwrap();
    let set = &data.sets[0];
    let wanted: HashSet<_> = set.requests.iter().flat_map(|request| request.slots.iter().flatten()).collect();
    assert_eq!(wanted.len(), data.catalogue(set).tools());
    let several = set.requests.iter().filter(|request| request.slots.len() > 1).count();
    assert_eq!(several, 25);
    for request in &set.requests {
        let tools: Vec<_> = request.slots.iter().flatten().collect();
        let distinct: HashSet<_> = tools.iter().collect();
        assert_eq!(distinct.len(), tools.len(), "{:?} wants a tool twice", request.text);
    }
}

#[test]
fn the_recorded_scores_are_of_routers_that_exist() {
    let recorded = Recorded::read(&folder().join("recorded.json")).unwrap();
    let names: HashSet<&str> = ENTRIES.iter().map(|entry| entry.name).collect();
    assert_eq!(names.len(), ENTRIES.len(), "two routers have one name");
    assert!(recorded.scores().iter().any(|score| score.set == "sample"));
    for score in recorded.scores() {
        assert!(names.contains(&*score.router), "there is no router {}", score.router);
    }
}

#[test]
fn the_floors_need_no_settings() {
    for entry in ENTRIES.iter().filter(|entry| entry.name.starts_with("bm25")) {
        assert_eq!((entry.make)(&Settings::default()).unwrap().name(), entry.name);
    }
}
