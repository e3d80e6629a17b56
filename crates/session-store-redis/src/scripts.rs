//! The steps, each a script that runs inside Redis.

use redis::Script;

/// All of them. Redis knows a script by its hash, and is sent it again when it does not.
#[derive(Debug)]
pub(crate) struct Scripts {
    pub(crate) create: Script,
    pub(crate) save: Script,
    pub(crate) delete: Script,
    pub(crate) sweep: Script,
}

impl Scripts {
    pub(crate) fn new() -> Self {
        Self {
            create: Script::new(include_str!("lua/create.lua")),
            save: Script::new(include_str!("lua/save.lua")),
            delete: Script::new(include_str!("lua/delete.lua")),
            sweep: Script::new(include_str!("lua/sweep.lua")),
        }
    }
}
