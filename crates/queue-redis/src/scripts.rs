//! The steps of a job, each a script that runs inside Redis.

use redis::Script;

/// All of them. Redis knows a script by its hash, and is sent it again when it does not.
#[derive(Debug)]
pub(crate) struct Scripts {
    pub push: Script,
    pub claim: Script,
    pub begin: Script,
    pub renew: Script,
    pub answer: Script,
    pub dead: Script,
    pub release: Script,
    pub depth: Script,
    pub record: Script,
}

impl Scripts {
    pub(crate) fn new() -> Self {
        let script = |code: &str| Script::new(&format!("{}\n{code}", include_str!("lua/common.lua")));
        Self {
            push: script(include_str!("lua/push.lua")),
            claim: script(include_str!("lua/claim.lua")),
            begin: script(include_str!("lua/begin.lua")),
            renew: script(include_str!("lua/renew.lua")),
            answer: script(include_str!("lua/answer.lua")),
            dead: script(include_str!("lua/dead.lua")),
            release: script(include_str!("lua/release.lua")),
            depth: script(include_str!("lua/depth.lua")),
            record: script(include_str!("lua/record.lua")),
        }
    }
}
