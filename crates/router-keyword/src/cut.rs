//! A list of servers → which of them stand together in one block.
//!
//! Where the list is cut depends on what stands there and not on how far from the beginning that is
//! (content-defined chunking, as in rsync and casync): a server that comes, goes or changes moves the cuts beside it
//! only, and all other blocks are those that an index of the list before has.

use std::hash::BuildHasher;
use std::sync::Arc;

use gateway_core::ServerTools;
use rustc_hash::FxBuildHasher;

/// How many tools a block has, about. Each block costs a query a look-up of each of its terms; and where a
/// server changes, its block is made anew.
const USUAL_TOOLS: u64 = 2_048;

/// Most tools of a block.
const MOST_TOOLS: u32 = 4_096;

const _: () = assert!(MOST_TOOLS <= crate::block::MOST_TOOLS);

/// Tools of one server that stay together: all of them, but for a server that has very many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Part {
    /// The hash of the server's content.
    pub(crate) content: u64,
    /// The first tool's place at its server.
    pub(crate) first: u32,
    /// How many tools.
    pub(crate) tools: u32,
}

/// The parts of each block, each with the place of its server.
pub(crate) fn cut(servers: &[Arc<ServerTools>]) -> Vec<Vec<(usize, Part)>> {
    let (mut blocks, mut block, mut size) = (Vec::new(), Vec::new(), 0);
    for (place, server) in servers.iter().enumerate() {
        // By its name, so that what changes at a server moves no cut.
        let chance = FxBuildHasher.hash_one(server.server()) % USUAL_TOOLS;
        let all = server.tools().len() as u32;
        for first in (0..all).step_by(MOST_TOOLS as usize) {
            let tools = (all - first).min(MOST_TOOLS);
            // One tool of so many begins a block.
            let begins = chance < u64::from(tools) || size + tools > MOST_TOOLS;
            if begins && !block.is_empty() {
                blocks.push(std::mem::take(&mut block));
                size = 0;
            }
            block.push((place, Part { content: server.content_hash(), first, tools }));
            size += tools;
        }
    }
    if !block.is_empty() {
        blocks.push(block);
    }
    blocks
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use gateway_core::RawJson;

    use super::*;

    fn server(name: &str, tools: usize) -> Arc<ServerTools> {
        let tool = |number: usize| RawJson::parse(format!(r#"{{"name":"t{number}","inputSchema":{{}}}}"#));
        Arc::new(ServerTools::new(name, "", (0..tools).map(|number| tool(number).expect("JSON")).collect()))
    }

    #[test]
    fn every_tool_is_in_one_block_and_no_block_is_too_large() {
        let servers = [0, 1, 5_000, 3, 4_096, 10_000, 0, 7].map(|tools| server(&format!("s{tools}"), tools));
        let blocks = cut(&servers);
        let sizes: Vec<u32> = blocks.iter().map(|block| block.iter().map(|(_, part)| part.tools).sum()).collect();
        assert!(sizes.iter().all(|size| (1..=MOST_TOOLS).contains(size)), "{sizes:?}");
        let mut next = vec![0; servers.len()];
        for (place, part) in blocks.iter().flatten() {
            assert_eq!((part.first, part.content), (next[*place], servers[*place].content_hash()));
            next[*place] += part.tools;
        }
        let all: Vec<u32> = servers.iter().map(|server| server.tools().len() as u32).collect();
        assert_eq!(next, all);
        assert!(cut(&[]).is_empty());
    }

    #[test]
    fn a_change_moves_the_cuts_beside_it_only() {
        let before: Vec<_> = (0..1_000).map(|number| server(&format!("server-{number}"), 20)).collect();
        let parts = |servers: &[Arc<ServerTools>]| -> HashSet<Vec<Part>> {
            cut(servers).into_iter().map(|block| block.into_iter().map(|(_, part)| part).collect()).collect()
        };
        let known = parts(&before);
        assert!((5..=20).contains(&known.len()), "{}", known.len());
        let mut new = Vec::new();
        for place in (0..1_000).step_by(50) {
            let (mut changed, mut added, mut removed) = (before.clone(), before.clone(), before.clone());
            changed[place] = server(&format!("server-{place}"), 21);
            added.insert(place, server("one more", 20));
            removed.remove(place);
            new.extend([changed, added, removed].map(|servers| parts(&servers).difference(&known).count()));
        }
        let mean = new.iter().sum::<usize>() as f32 / new.len() as f32;
        assert!(mean < 1.5, "{new:?}");
    }
}
