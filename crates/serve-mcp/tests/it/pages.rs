//! Lists page by page.

use gateway_core::Era;
use gateway_testkit::fakes::{Answer, FakeServer};
use http::Method;
use serde_json::Value;
use serve_mcp::{Expose, McpConfig};

use crate::client::{Ask, Client, until};
use crate::client_http::send;
use crate::rig::{Rig, Setup, Wire, fixture, reference};
use crate::wire::quote;

async fn rig(servers: Vec<(Wire, gateway_testkit::reference::Options)>, fake: &FakeServer) -> Rig {
    let mcp = McpConfig { expose: Expose::All, page_size: 2, ..McpConfig::default() };
    Rig::new(Setup { mcp, servers, fakes: vec![("fake", fake.clone())], ..Setup::default() }).await
}

fn fake() -> FakeServer {
    ["c", "a", "e", "b", "d"].iter().fold(FakeServer::new(), |fake, name| fake.with_tool(name, "", Answer::echo()))
}

/// One page: what stands on it, and the cursor of the next.
async fn page(
    client: &Client,
    (method, list, key): (&str, &str, &str),
    cursor: Option<&str>,
) -> (Vec<String>, Option<String>) {
    let params = cursor.map_or_else(|| "{}".to_owned(), |cursor| format!(r#"{{"cursor":{}}}"#, quote(cursor)));
    let result: Value = serde_json::from_str(&client.ask(Ask::new(method, &params)).await.result()).unwrap();
    let entries =
        result[list].as_array().unwrap().iter().map(|entry| entry[key].as_str().unwrap().to_owned()).collect();
    (entries, result.get("nextCursor").map(|next| next.as_str().expect("a text").to_owned()))
}

async fn walk(client: &Client, about: (&str, &str, &str)) -> Vec<String> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let (entries, next) = page(client, about, cursor.as_deref()).await;
        assert!((1..=2).contains(&entries.len()), "{entries:?}");
        all.extend(entries);
        cursor = next;
        if cursor.is_none() {
            return all;
        }
    }
}

const TOOLS: (&str, &str, &str) = ("tools/list", "tools", "name");

#[tokio::test]
async fn every_list_is_walked_to_its_end() {
    let servers = vec![(Wire::Http, reference("demo", Era::Modern)), (Wire::Http, fixture("fixture", Era::Legacy))];
    let rig = rig(servers, &fake()).await;
    for (era, wire) in [(Era::Legacy, Wire::Http), (Era::Modern, Wire::Http), (Era::Modern, Wire::Stdio)] {
        let client = Client::of(&rig, era, wire).await;
        let lists = [
            (TOOLS, 18 + 29 + 5),
            (("prompts/list", "prompts", "name"), 5),
            (("resources/list", "resources", "uri"), 3),
            (("resources/templates/list", "resourceTemplates", "uriTemplate"), 1),
        ];
        for (about, count) in lists {
            let all = walk(&client, about).await;
            let mut unique = all.clone();
            unique.sort();
            unique.dedup();
            assert_eq!((all.len(), unique.len()), (count, count), "{}", about.0);
            assert_eq!(all, walk(&client, about).await, "the same order each time");
        }
    }
    rig.close().await;
}

#[tokio::test]
async fn a_list_may_change_while_it_is_read() {
    let fake = fake();
    let rig = rig(Vec::new(), &fake).await;
    let client = Client::of(&rig, Era::Modern, Wire::Http).await;
    let (first, next) = page(&client, TOOLS, None).await;
    let next = next.expect("more than one page");
    fake.add_tool("0", "", Answer::echo());
    fake.announce();
    let tools = async || send(&rig.http, Method::GET, "/mcp/tools", &[], "").await.text().await;
    until("the new tool", async || tools().await.contains(r#""name":"0""#)).await;
    let (mut all, mut cursor) = (first.clone(), Some(next));
    while let Some(next) = &cursor {
        let (entries, after) = page(&client, TOOLS, Some(next)).await;
        all.extend(entries);
        cursor = after;
    }
    for name in ["a", "b", "c", "d", "e"] {
        assert_eq!(all.iter().filter(|seen| *seen == name).count(), 1, "{name} in {all:?}");
    }
    rig.close().await;
}

#[tokio::test]
async fn a_cursor_of_somebody_elses_is_refused() {
    let servers = vec![(Wire::Http, fixture("fixture", Era::Legacy))];
    let rig = rig(servers, &fake()).await;
    for era in [Era::Legacy, Era::Modern] {
        let client = Client::of(&rig, era, Wire::Http).await;
        let (_, tools) = page(&client, TOOLS, None).await;
        let tools = tools.unwrap();
        let bad = ["", "x", "from:2", "====", "AAAA", "\u{0}", "\u{1f600}", &"A".repeat(100_000)];
        let texts = bad.iter().map(|text| quote(text)).chain(["7", "{}", "[]", "true"].map(str::to_owned));
        for cursor in texts {
            let told = client.ask(Ask::new("tools/list", &format!(r#"{{"cursor":{cursor}}}"#))).await;
            assert_eq!(told.error()["code"], -32602, "{cursor:.50}");
        }
        let other = client.ask(Ask::new("prompts/list", &format!(r#"{{"cursor":{}}}"#, quote(&tools)))).await;
        assert_eq!(other.error()["code"], -32602, "a cursor of another list");
        // Many clients write what they have not as null.
        assert_eq!(client.ask(Ask::new("tools/list", r#"{"cursor":null}"#)).await.member("nextCursor"), quote(&tools));
    }
    rig.close().await;
}
