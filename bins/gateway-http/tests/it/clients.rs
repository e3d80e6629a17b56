//! MCP clients that others wrote, through the gateway, to servers that others wrote: every client, told everything
//! that it can be told about revisions, with every server, and all that the two can do together.

use serde_json::{Value, json};

use crate::gateway::{Place, Running};
use crate::http::{Request, poll};
use crate::mcp_client::{Client, Kind, Mode};
use crate::talk::{Talk, call, cancelled, names, text};
use crate::upstreams::{EverythingHttp, at, over_sse, peer, stdio, with_servers};

/// What is tried with a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Feature {
    Tools,
    Clock,
    Failures,
    Prompts,
    Resources,
    Completion,
    Progress,
    Logging,
    /// Only log messages from the level on that the client asked for.
    Levels,
    Sampling,
    Elicitation,
    Roots,
    /// A server of 2026-07-28 asks, for which it has no requests of its own.
    Rounds,
    /// The client hears of a resource that was updated.
    Updates,
    /// The client hears of a resource that the server has now.
    Growth,
    /// The server is told when the client gives a call up.
    Cancelling,
    /// Results of megabytes.
    Bulk,
    /// Many calls at once.
    Crowd,
    /// The client hears of a server that was added or removed.
    Changes,
    /// `search_tools` and `execute_tool`.
    Searching,
}

use Feature::{
    Bulk, Cancelling, Changes, Clock, Completion, Crowd, Elicitation, Failures, Growth, Levels, Logging, Progress,
    Prompts, Resources, Roots, Rounds, Sampling, Searching, Tools, Updates,
};

/// The servers, and what they can do.
const SERVERS: [(&str, &[Feature]); 7] = [
    ("everything", EVERYTHING),
    ("everything-http", EVERYTHING),
    ("everything-sse", EVERYTHING),
    // It speaks 2026-07-28, and has two tools and nothing else.
    ("time", &[Clock]),
    // The rest is ours. Nobody else's knows which calls it was told to give up, or asks in rounds.
    ("patient-legacy", &[Cancelling, Levels, Bulk]),
    ("patient-modern", &[Cancelling, Levels, Bulk]),
    ("asking", &[Rounds]),
];

const EVERYTHING: &[Feature] = &[
    Tools,
    Failures,
    Prompts,
    Resources,
    Completion,
    Progress,
    Logging,
    Sampling,
    Elicitation,
    Roots,
    Updates,
    Growth,
    Crowd,
    Searching,
];

/// Why something is left out: it cannot work, which is not the gateway's doing, or it would only take long. All
/// else must work.
pub(crate) fn left_out(kind: Kind, mode: Mode, server: &str, feature: Feature) -> Option<&'static str> {
    Some(match (kind, feature) {
        (Kind::Inspector, Completion) => "its --cli has no command for it",
        (Kind::Inspector, Progress) => "its --cli asks for none",
        (Kind::Inspector, Sampling | Elicitation | Rounds) => "its --cli says that it cannot be asked",
        (Kind::Inspector, Updates | Growth | Changes) => "its --cli ends with the answer",
        (Kind::Inspector, Cancelling) => "its --cli gives nothing up",
        (Kind::Inspector, Crowd) => "its --cli makes one call",
        (Kind::Inspector, Levels) => "its --cli shows no log messages",
        (Kind::Inspector, Logging) if mode.is_modern() => "its --cli has no option for the level of a request",
        // Half a second for each of its requests is a long time where only the way to them differs.
        (Kind::Inspector, _) if mode == Mode::Auto && !matches!(feature, Tools | Clock | Searching) => {
            "once it has found out, all is as it is where it was told"
        }
        (Kind::Inspector, Tools) if mode != Mode::Auto => return None,
        (Kind::Inspector, _) if server != "everything" && feature != Clock => "to a client all servers are the gateway",
        (Kind::FastMcp, Updates | Growth | Changes) if mode.is_modern() => "it has no method for subscriptions/listen",
        (Kind::FastMcp, Levels) if mode.is_modern() => "it always asks for all levels",
        (_, Logging) if mode.is_modern() && server == "everything-http" => {
            "the server logs outside of the call, where 2026-07-28 has no place for it"
        }
        _ => return None,
    })
}

/// All servers behind one gateway.
struct Scene {
    gateway: Running,
    _everything: [EverythingHttp; 2],
    _place: Place,
}

#[test]
fn inspector_legacy() {
    speak(Kind::Inspector, Mode::Legacy);
}

#[test]
fn inspector_auto() {
    speak(Kind::Inspector, Mode::Auto);
}

#[test]
fn inspector_modern() {
    speak(Kind::Inspector, Mode::Modern);
}

#[test]
fn typescript_legacy() {
    speak(Kind::TypeScript, Mode::Legacy);
}

#[test]
fn typescript_auto() {
    speak(Kind::TypeScript, Mode::Auto);
}

#[test]
fn typescript_modern() {
    speak(Kind::TypeScript, Mode::Modern);
}

#[test]
fn python_legacy() {
    speak(Kind::Python, Mode::Legacy);
}

#[test]
fn python_auto() {
    speak(Kind::Python, Mode::Auto);
}

#[test]
fn python_modern() {
    speak(Kind::Python, Mode::Modern);
}

#[test]
fn fastmcp_legacy() {
    speak(Kind::FastMcp, Mode::Legacy);
}

#[test]
fn fastmcp_auto() {
    speak(Kind::FastMcp, Mode::Auto);
}

#[test]
fn fastmcp_modern() {
    speak(Kind::FastMcp, Mode::Modern);
}

/// Takes a client through everything.
fn speak(kind: Kind, mode: Mode) {
    let scene = Scene::start(kind);
    let gateway = &scene.gateway;
    let mut client = Client::new(kind, mode);
    shows_everything(gateway, &mut client);
    finds_and_executes(gateway, &mut client);
    stays_in_its_session(gateway, &mut client);
    has_a_session_of_its_own(gateway, &mut client);
    leaves_nothing_behind(gateway, client);
}

/// `?expose=all`
fn shows_everything(gateway: &Running, client: &mut Client) {
    let greeting = client.connect(&gateway.mcp("?expose=all"), &json!({}));
    let protocol = if client.mode.is_modern() { "2026-07-28" } else { "2025-11-25" };
    assert_eq!(greeting["protocol"], protocol, "{greeting}");
    // The Python clients do not ask what the server is where they were told what it speaks.
    if greeting["name"].is_string() {
        assert_eq!(greeting["name"], "mcp-gateway");
        assert_eq!(greeting["capabilities"]["resources"], json!({ "subscribe": true, "listChanged": true }));
        let instructions = greeting["instructions"].as_str().expect("instructions");
        assert!(SERVERS.iter().all(|(server, _)| instructions.contains(server)), "{instructions}");
    }
    for (server, features) in SERVERS {
        for feature in features.iter().filter(|feature| **feature != Searching) {
            Talk { gateway, client, server }.try_feature(*feature);
        }
    }
    Talk { gateway, client, server: "late" }.try_feature(Changes);
    client.leave();
}

/// The default.
fn finds_and_executes(gateway: &Running, client: &mut Client) {
    client.connect(&gateway.mcp(""), &json!({}));
    assert_eq!(names(&client.answer(&json!({ "do": "tools" })), "tools"), ["search_tools", "execute_tool"]);
    for (server, _) in SERVERS.iter().filter(|(_, features)| features.contains(&Searching)) {
        Talk { gateway, client, server }.try_feature(Searching);
    }
    // What a model did wrong is told to it.
    for (tool, arguments, why) in [
        ("search_tools", json!({}), "`query`"),
        ("execute_tool", json!({ "tool_name": "nothing" }), "`nothing`"),
        ("execute_tool", json!({ "tool_name": "everything__get-sum", "args": { "a": "x" } }), "expected number"),
    ] {
        let result = call(client, tool, &arguments).unwrap();
        assert!(result["isError"] == true && text(&result).contains(why), "{result}");
    }
    client.leave();
}

/// `X-Session-ID` and `?session=`
fn stays_in_its_session(gateway: &Running, client: &mut Client) {
    let id = gateway.post("/sessions/create", "{}").ok()["session_id"].as_str().expect("an id").to_owned();
    let change = |path: &str, body: Value| {
        gateway.http(&Request::post(path, body.to_string()).with("X-Session-ID", &id)).ok();
    };
    change("/mcp/servers/add", json!({ "mcpServers": { "mine": stdio(&[]) } }));
    change("/mcp/servers/remove", json!({ "server_name": "time" }));
    let in_session = format!("?expose=all&session={id}");
    for (query, headers, mine) in [
        ("?expose=all", json!({ "X-Session-ID": id }), true),
        (&in_session, json!({}), true),
        ("?expose=all", json!({}), false),
    ] {
        client.connect(&gateway.mcp(query), &headers);
        let tools = names(&client.answer(&json!({ "do": "tools" })), "tools");
        let has = |name: &str| tools.iter().any(|tool| tool == name);
        assert!(has("everything__echo"), "{tools:?}");
        assert_eq!((has("mine__echo"), has("time__get_current_time")), (mine, !mine), "{tools:?}");
        let echoed = call(client, "mine__echo", &json!({ "text": "here" }));
        assert_eq!(echoed.as_ref().is_ok_and(|result| text(result) == "here"), mine, "{echoed:?}");
        if mine && client.kind != Kind::Inspector {
            is_asked_in_each_of_its_calls(client);
        }
        client.leave();
    }
    gateway.http(&Request::new("DELETE", &format!("/sessions/{id}"))).ok();
}

/// Where nobody else is, every question of a server can only be for this client, whichever of its calls it belongs to.
fn is_asked_in_each_of_its_calls(client: &mut Client) {
    let calls: Vec<_> = (0..5)
        .map(|number| {
            let arguments = json!({ "prompt": format!("number {number}") });
            json!({ "name": "everything__trigger-sampling-request", "args": arguments })
        })
        .collect();
    client.forget();
    let results = client.answer(&json!({ "do": "together", "calls": calls }));
    let results: Vec<_> = results.as_array().expect("results").iter().map(text).collect();
    assert!(results.len() == 5 && results.iter().all(|result| result.contains("the answer of ")), "{results:?}");
    let asked: Vec<_> = client.heard("sampling/createMessage").iter().map(ToString::to_string).collect();
    for number in 0..5 {
        let mine = format!("number {number}");
        assert_eq!(asked.iter().filter(|question| question.contains(&mine)).count(), 1, "{asked:?}");
    }
}

/// `?session=new`: a client that finds out what it may speak finds that it must begin with `initialize`.
fn has_a_session_of_its_own(gateway: &Running, client: &mut Client) {
    if client.mode == Mode::Modern {
        return;
    }
    let greeting = client.connect(&gateway.mcp("?expose=all&session=new"), &json!({}));
    assert_eq!(greeting["protocol"], "2025-11-25", "{greeting}");
    let pid = |result: &Value| serde_json::from_str::<Value>(&text(result)).expect("facts are JSON")["pid"].take();
    let mine = pid(&call(client, "patient-modern__whoami", &json!({})).unwrap());
    let everybodys = pid(&gateway.call("patient-modern__whoami", "{}").ok()["result"]["call_tool_result"]);
    assert_ne!(mine, everybodys);
    client.leave();
    poll("the number of sessions", || gateway.get("/sessions").ok(), |sessions| sessions["total"] == 0);
}

/// A client that is killed has given its calls up.
fn leaves_nothing_behind(gateway: &Running, mut client: Client) {
    if client.kind == Kind::Inspector {
        return;
    }
    client.connect(&gateway.mcp("?expose=all"), &json!({}));
    let servers = ["patient-legacy", "patient-modern"];
    let calls = servers.map(|server| json!({ "name": format!("{server}__hang"), "args": {} }));
    client.begin(&json!({ "do": "together", "calls": calls }));
    for server in servers {
        poll(server, || cancelled(gateway, server), |seen| seen["running"] == 1);
    }
    drop(client);
    for server in servers {
        poll(server, || cancelled(gateway, server), |seen| seen["cancelled"] == 2 && seen["running"] == 0);
    }
}

impl Scene {
    #[track_caller]
    fn start(kind: Kind) -> Self {
        let everything = [EverythingHttp::start(), EverythingHttp::start_sse()];
        let place = with_servers(&[
            ("everything", json!({ "command": peer("mcp-server-everything") })),
            ("everything-http", at(&everything[0].url())),
            ("everything-sse", over_sse(&everything[1].url())),
            ("time", json!({ "command": peer("mcp-server-time") })),
            ("patient-legacy", stdio(&["--era", "legacy"])),
            ("patient-modern", stdio(&["--era", "modern"])),
            ("asking", stdio(&["--era", "modern", "--conformance"])),
        ]);
        // Lists have several pages, and a client that died is not waited for.
        let place = place.variable("GATEWAY__MCP__PAGE_SIZE", "25").variable("GATEWAY__MCP__RESUME_WINDOW_MS", "300");
        // The inspector never says that it leaves; with the others it would not be seen that they do.
        let life = if kind == Kind::Inspector { "1" } else { "3600" };
        let place = place.variable("GATEWAY__MCP__OWN_SESSION_TTL_SECONDS", life);
        let gateway = place.start(&[]);
        gateway.wait_for(&SERVERS.map(|(name, _)| name));
        Self { gateway, _everything: everything, _place: place }
    }
}

impl Running {
    /// The URL of the MCP door.
    fn mcp(&self, query: &str) -> String {
        format!("http://{}/mcp{query}", self.address)
    }
}
