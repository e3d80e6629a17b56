//! What a client has wished in the course of its session, and how far this process has done it: the client may have
//! wished it at another one.

use std::collections::{BTreeSet, HashMap};

use gateway_core::{Error, ErrorKind, LogLevel, ResourceSubscription};

use crate::record::Wishes;

/// Most resources that one client watches.
pub(crate) const MAX_SUBSCRIPTIONS: usize = 1_000;

/// A client's wishes. What is returned holds subscriptions, and is to be dropped without a lock.
#[derive(Debug, Default)]
pub(crate) struct Wished {
    pub(crate) log_level: Option<LogLevel>,
    /// The level was set at another process, whose servers know it; those of this one do not.
    is_level_untold: bool,
    /// The resources that it watches, by the URIs that it knows them by.
    subscriptions: HashMap<String, ResourceSubscription>,
    /// Those that it began to watch at another process, and that are not watched here yet.
    unwatched: BTreeSet<String>,
}

impl Wished {
    pub(crate) fn wishes(&self) -> Wishes {
        let watched = self.subscriptions.keys().chain(&self.unwatched).cloned().collect();
        Wishes { log_level: self.log_level, watched }
    }

    /// It wishes this, as another process says. What that takes is done later; what it no longer wishes is returned.
    pub(crate) fn set(&mut self, wishes: &Wishes) -> Vec<(String, ResourceSubscription)> {
        if self.log_level != wishes.log_level {
            self.log_level = wishes.log_level;
            self.is_level_untold = true;
        }
        let Self { subscriptions, unwatched, .. } = self;
        let dropped = subscriptions.extract_if(|uri, _| !wishes.watched.contains(uri)).collect();
        *unwatched = wishes.watched.iter().filter(|uri| !subscriptions.contains_key(*uri)).cloned().collect();
        dropped
    }

    pub(crate) fn set_level(&mut self, level: LogLevel) {
        self.log_level = Some(level);
        self.is_level_untold = false;
    }

    /// The level that the servers of this process have not heard of.
    pub(crate) fn take_untold_level(&mut self) -> Option<LogLevel> {
        let is_untold = std::mem::take(&mut self.is_level_untold);
        self.log_level.filter(|_| is_untold)
    }

    /// The resources that are not watched here yet.
    pub(crate) fn unwatched(&self) -> Vec<String> {
        self.unwatched.iter().cloned().collect()
    }

    /// Whether something is to be done: resources are watched only where somebody listens.
    pub(crate) fn is_behind(&self, is_heard: bool) -> bool {
        self.is_level_untold || is_heard && !self.unwatched.is_empty()
    }

    /// Watches a resource from now on; what watched it before is returned.
    ///
    /// # Errors
    /// Where the client watches too many.
    pub(crate) fn watch(
        &mut self,
        uri: String,
        subscription: ResourceSubscription,
    ) -> Result<Option<ResourceSubscription>, Error> {
        let watched = self.subscriptions.len() + self.unwatched.len();
        if watched >= MAX_SUBSCRIPTIONS && !self.subscriptions.contains_key(&uri) && !self.unwatched.contains(&uri) {
            let message = format!("more than {MAX_SUBSCRIPTIONS} resources are watched in this session");
            return Err(Error::new(ErrorKind::RateLimited, message));
        }
        self.unwatched.remove(&uri);
        Ok(self.subscriptions.insert(uri, subscription))
    }

    /// One of those not watched yet is watched from now on; returned where its client has thought better of it.
    pub(crate) fn watch_again(
        &mut self,
        uri: String,
        subscription: ResourceSubscription,
    ) -> Option<ResourceSubscription> {
        if !self.unwatched.remove(&uri) {
            return Some(subscription);
        }
        self.subscriptions.insert(uri, subscription)
    }

    pub(crate) fn unwatch(&mut self, uri: &str) -> Option<ResourceSubscription> {
        self.unwatched.remove(uri);
        self.subscriptions.remove(uri)
    }

    /// The URI by which the client watches a resource of a server, where it does.
    pub(crate) fn watched(&self, server: uuid::Uuid, uri: &str) -> Option<String> {
        let mut watched = self.subscriptions.iter();
        let found = watched.find(|(_, subscription)| subscription.server_uuid() == server && subscription.uri() == uri);
        found.map(|(shown, _)| shown.clone())
    }
}
