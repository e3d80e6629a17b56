//! What MCP clients that others wrote do with a server behind the gateway.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::clients::{Feature, left_out};
use crate::gateway::{LONG, Running};
use crate::http::poll;
use crate::mcp_client::{Answer, Client, Kind};
use crate::upstreams::stdio;

/// How soon a client must hear that something has changed.
const SOON: Duration = Duration::from_secs(1);

/// A client and one of the servers.
pub(crate) struct Talk<'a> {
    pub(crate) gateway: &'a Running,
    pub(crate) client: &'a mut Client,
    pub(crate) server: &'a str,
}

impl Talk<'_> {
    #[expect(clippy::print_stdout, reason = "tells what a failure is about, and what was left out")]
    pub(crate) fn try_feature(&mut self, feature: Feature) {
        let (kind, mode, server) = (self.client.kind, self.client.mode, self.server);
        if let Some(why) = left_out(kind, mode, server, feature) {
            println!("{kind:?}, {mode:?}, {server}: no {feature:?}: {why}");
            return;
        }
        println!("{kind:?}, {mode:?}, {server}: {feature:?}");
        self.client.forget();
        match feature {
            Feature::Tools => self.tools(),
            Feature::Clock => self.clock(),
            Feature::Failures => self.failures(),
            Feature::Prompts => self.prompts(),
            Feature::Resources => self.resources(),
            Feature::Completion => self.completion(),
            Feature::Progress => self.progress(),
            Feature::Logging => self.logging(),
            Feature::Levels => self.levels(),
            Feature::Sampling => self.sampling(),
            Feature::Elicitation => self.elicitation(),
            Feature::Roots => self.roots(),
            Feature::Rounds => self.rounds(),
            Feature::Updates => self.updates(),
            Feature::Growth => self.growth(),
            Feature::Cancelling => self.cancelling(),
            Feature::Bulk => self.bulk(),
            Feature::Crowd => self.crowd(),
            Feature::Changes => self.changes(),
            Feature::Searching => self.searching(),
        }
    }

    fn tools(&mut self) {
        let listed = self.client.answer(&json!({ "do": "tools" }));
        let find = |name: String| listed["tools"].as_array().expect("tools").iter().find(|tool| tool["name"] == name);
        let echo = find(self.name("echo")).expect("the tool is listed");
        assert_eq!((&echo["title"], &echo["annotations"]["readOnlyHint"]), (&json!("Echo Tool"), &json!(true)));
        assert_eq!(echo["inputSchema"]["required"], json!(["message"]), "{echo}");
        let structured = find(self.name("get-structured-content")).expect("the tool is listed");
        assert_eq!(structured["outputSchema"]["properties"]["temperature"]["type"], "number", "{structured}");
        let result = self.call("echo", &json!({ "message": "snow\u{2603}" })).unwrap();
        assert_eq!(text(&result), "Echo: snow\u{2603}");
        let result = self.call("get-sum", &json!({ "a": 19, "b": 23 })).unwrap();
        assert_eq!(text(&result), "The sum of 19 and 23 is 42.");
        let result = self.call("get-structured-content", &json!({ "location": "Chicago" })).unwrap();
        assert!(result["structuredContent"]["temperature"].is_number(), "{result}");
        let result = self.call("get-tiny-image", &json!({})).unwrap();
        let parts = result["content"].as_array().expect("content");
        assert!(parts.iter().any(|part| part["type"] == "image" && part["mimeType"] == "image/png"), "{result}");
    }

    fn clock(&mut self) {
        let result = self.call("get_current_time", &json!({ "timezone": "Asia/Tokyo" })).unwrap();
        assert!(text(&result).contains("+09:00"), "{result}");
        let result = self.call("get_current_time", &json!({ "timezone": "Middle/Earth" })).unwrap();
        assert!(result["isError"] == true && text(&result).contains("Invalid timezone"), "{result}");
    }

    fn failures(&mut self) {
        let result = self.call("get-sum", &json!({ "a": "x", "b": 1 })).unwrap();
        assert!(result["isError"] == true && text(&result).contains("expected number"), "{result}");
        let nothing = self.name("nothing");
        for (step, what) in [
            (json!({ "do": "call", "name": nothing, "args": {} }), nothing.as_str()),
            (json!({ "do": "prompt", "name": nothing, "args": {} }), &nothing),
            (json!({ "do": "read", "uri": self.uri("nowhere") }), "demo://nowhere"),
        ] {
            let error = self.client.ask(&step).unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
        }
    }

    fn prompts(&mut self) {
        let prompts = names(&self.client.answer(&json!({ "do": "prompts" })), "prompts");
        let name = self.name("args-prompt");
        assert!(prompts.contains(&name), "{prompts:?}");
        let args = json!({ "city": "Oslo", "state": "Viken" });
        let prompt = self.client.answer(&json!({ "do": "prompt", "name": name, "args": args }));
        assert_eq!(prompt["messages"][0]["content"]["text"], "What's weather in Oslo, Viken?", "{prompt}");
    }

    fn resources(&mut self) {
        let document = self.uri("resource/static/document/features.md");
        let listed = self.client.answer(&json!({ "do": "resources" }));
        let resources = listed["resources"].as_array().expect("resources");
        assert!(resources.iter().any(|resource| resource["uri"] == document), "{listed}");
        let listed = self.client.answer(&json!({ "do": "templates" }));
        let templates = listed["resourceTemplates"].as_array().expect("templates");
        let template = self.uri("resource/dynamic/text/{resourceId}");
        assert!(templates.iter().any(|listed| listed["uriTemplate"] == template), "{listed}");
        for (uri, member, beginning) in [
            (document, "text", "# Everything Server"),
            (self.uri("resource/dynamic/text/7"), "text", "Resource 7:"),
            (self.uri("resource/dynamic/blob/7"), "blob", "UmVzb3VyY2UgNz"),
        ] {
            let read = self.client.answer(&json!({ "do": "read", "uri": uri }));
            let contents = &read["contents"][0][member];
            assert!(contents.as_str().is_some_and(|contents| contents.starts_with(beginning)), "{read}");
        }
    }

    fn completion(&mut self) {
        let prompt = json!({ "type": "ref/prompt", "name": self.name("completable-prompt") });
        let template = json!({ "type": "ref/resource", "uri": self.uri("resource/dynamic/text/{resourceId}") });
        for (reference, name, value, expected) in
            [(prompt, "department", "Eng", "Engineering"), (template, "resourceId", "12", "12")]
        {
            let step = json!({ "do": "complete", "ref": reference, "name": name, "value": value });
            let answer = self.client.answer(&step);
            assert_eq!(answer["completion"]["values"], json!([expected]), "{answer}");
        }
    }

    fn progress(&mut self) {
        let result = self.call("trigger-long-running-operation", &json!({ "duration": 0.2, "steps": 4 })).unwrap();
        assert!(text(&result).contains("completed"), "{result}");
        let steps = self.client.heard("notifications/progress");
        let steps: Vec<_> = steps.iter().map(|step| (step["progress"].as_f64(), step["total"].as_f64())).collect();
        assert_eq!(steps, [1.0, 2.0, 3.0, 4.0].map(|step| (Some(step), Some(4.0))));
    }

    fn logging(&mut self) {
        self.wants_logs("debug");
        if self.client.kind == Kind::Inspector {
            // It shows no messages.
            return;
        }
        // The first message comes at once, of any level; the next one would come after five seconds.
        for _ in ["on", "off"] {
            let name = self.name("toggle-simulated-logging");
            self.client.answer(&json!({ "do": "call", "name": name, "args": {}, "level": "debug" }));
        }
        let message = self.client.hears("notifications/message", LONG);
        assert!(message["data"].as_str().is_some_and(|data| data.contains("message")), "{message}");
    }

    fn levels(&mut self) {
        self.wants_logs("warning");
        for level in ["info", "error"] {
            let arguments = json!({ "level": level, "text": format!("an {level}") });
            let name = self.name("log");
            self.client.answer(&json!({ "do": "call", "name": name, "args": arguments, "level": "warning" }));
        }
        let messages = self.client.heard("notifications/message");
        let messages: Vec<_> = messages.iter().map(|message| &message["data"]).collect();
        assert_eq!(messages, ["an error"]);
    }

    /// Says from which level on; since 2026-07-28 each call does.
    fn wants_logs(&mut self, level: &str) {
        if !self.client.mode.is_modern() {
            self.client.answer(&json!({ "do": "level", "level": level }));
        }
    }

    fn sampling(&mut self) {
        let question = "Resource trigger-sampling-request context: why?";
        let result = self.call("trigger-sampling-request", &json!({ "prompt": "why?", "maxTokens": 7 })).unwrap();
        assert!(text(&result).contains("the answer of "), "{result}");
        let asked = self.client.heard("sampling/createMessage");
        assert_eq!(asked.len(), 1, "{asked:?}");
        assert_eq!(
            (&asked[0]["messages"][0]["content"]["text"], &asked[0]["maxTokens"]),
            (&question.into(), &7.into())
        );
        // A client that refuses has answered; the era decides who fails for it.
        let refused = match self.call("trigger-sampling-request", &json!({ "prompt": "refuse this" })) {
            Ok(result) if result["isError"] == true => text(&result),
            Ok(result) => panic!("{result}"),
            Err(error) => error.to_string(),
        };
        assert!(refused.contains("refuses"), "{refused}");
        let result = self.call("trigger-sampling-request", &json!({ "prompt": "again" })).unwrap();
        assert!(text(&result).contains("the answer of "), "{result}");
    }

    fn elicitation(&mut self) {
        let result = self.call("trigger-elicitation-request", &json!({})).unwrap();
        assert!(text(&result).contains("- Name: Ada") && text(&result).contains("- Favorite Integer: 7"), "{result}");
        let asked = self.client.heard("elicitation/create");
        assert_eq!(asked.len(), 1, "{asked:?}");
        let fields = &asked[0]["requestedSchema"]["properties"];
        assert_eq!((&fields["integer"]["default"], &fields["email"]["format"]), (&json!(42), &json!("email")));
        assert_eq!(fields["legacyTitledEnum"]["enumNames"][1], "Dogs", "{fields}");
        assert_eq!(fields["titledMultipleSelectEnum"]["items"]["anyOf"][0]["title"], "Tuna", "{fields}");
        let url = "https://example.com/consent";
        let result = self.call("trigger-url-elicitation", &json!({ "url": url })).unwrap();
        assert!(text(&result).contains("User completed"), "{result}");
        let asked = self.client.heard("elicitation/create");
        assert_eq!((&asked[0]["mode"], &asked[0]["url"]), (&json!("url"), &json!(url)));
    }

    fn roots(&mut self) {
        let result = self.call("get-roots-list", &json!({})).unwrap();
        let text = text(&result);
        assert!(text.contains("the root of ") && text.contains("file:///home/ada"), "{result}");
    }

    fn rounds(&mut self) {
        let result = self.call("test_input_required_result_multiple_inputs", &json!({})).unwrap();
        let said = text(&result);
        assert!(["the answer of ", "Ada", "file:///home/ada"].iter().all(|part| said.contains(part)), "{result}");
        let result = self.call("test_input_required_result_multi_round", &json!({})).unwrap();
        assert_eq!(text(&result), "Ada likes green");
    }

    fn updates(&mut self) {
        let uri = self.uri("resource/dynamic/text/7");
        self.client.answer(&json!({ "do": "listen", "uri": uri }));
        for _ in ["on", "off"] {
            self.call("toggle-subscriber-updates", &json!({})).unwrap();
        }
        let updated = self.client.hears("notifications/resources/updated", LONG);
        assert_eq!(updated["uri"], uri, "{updated}");
    }

    fn growth(&mut self) {
        let file = json!({ "name": "new.gz", "data": "data:text/plain,hello", "outputType": "resourceLink" });
        let result = self.call("gzip-file-as-resource", &file).unwrap();
        assert_eq!(result["content"][0]["type"], "resource_link", "{result}");
        self.client.hears("notifications/resources/list_changed", SOON);
        let uri = self.uri("resource/session/new.gz");
        let listed = self.client.answer(&json!({ "do": "resources" }));
        let resources = listed["resources"].as_array().expect("resources");
        assert!(resources.iter().any(|resource| resource["uri"] == uri), "{listed}");
        let read = self.client.answer(&json!({ "do": "read", "uri": uri }));
        assert_eq!(read["contents"][0]["mimeType"], "application/gzip", "{read}");
    }

    fn cancelling(&mut self) {
        let name = self.name("hang");
        self.client.ask(&json!({ "do": "call", "name": name, "args": {}, "timeout_ms": 200 })).unwrap_err();
        let ended = |seen: &Value| seen["cancelled"] == 1 && seen["running"] == 0;
        poll(self.server, || cancelled(self.gateway, self.server), ended);
        let result = self.call("echo", &json!({ "text": "still here" })).unwrap();
        assert_eq!(text(&result), "still here");
    }

    fn bulk(&mut self) {
        let result = self.call("big", &json!({ "bytes": 3_000_000 })).unwrap();
        assert!(text(&result).len() > 2_999_000, "{} bytes", text(&result).len());
    }

    fn crowd(&mut self) {
        let calls: Vec<_> = (0..50)
            .map(|number| json!({ "name": self.name("echo"), "args": { "message": number.to_string() } }))
            .collect();
        let results = self.client.answer(&json!({ "do": "together", "calls": calls }));
        let results = results.as_array().expect("results");
        for (number, result) in results.iter().enumerate() {
            assert_eq!(text(result), format!("Echo: {number}"));
        }
        assert_eq!(results.len(), 50);
    }

    fn changes(&mut self) {
        let lists = ["tools", "prompts", "resources"].map(|list| format!("notifications/{list}/list_changed"));
        let added = json!({ "mcpServers": { self.server: stdio(&[]) } });
        let removed = json!({ "server_name": self.server });
        for (path, body, is_there) in [("/mcp/servers/add", added, true), ("/mcp/servers/remove", removed, false)] {
            self.client.forget();
            self.gateway.post(path, &body.to_string()).ok();
            let end = Instant::now() + SOON;
            for list in &lists {
                self.client.hears(list, end.saturating_duration_since(Instant::now()));
            }
            let tools = names(&self.client.answer(&json!({ "do": "tools" })), "tools");
            assert_eq!(tools.contains(&self.name("echo")), is_there, "{tools:?}");
        }
    }

    fn searching(&mut self) {
        let query = &json!({ "query": "add two numbers", "limit": 10 });
        let found = call(self.client, "search_tools", query).unwrap();
        let found = names(&found["structuredContent"], "tools");
        let sum = self.name("get-sum");
        assert!(found.contains(&sum), "{sum} is not in {found:?}");
        let result = self.execute(&sum, &json!({ "a": 19, "b": 23 }));
        assert_eq!(text(&result), "The sum of 19 and 23 is 42.");
        if self.client.kind != Kind::Inspector {
            let result = self.execute(&self.name("trigger-elicitation-request"), &json!({}));
            assert!(text(&result).contains("- Name: Ada"), "{result}");
        }
    }

    #[track_caller]
    fn execute(&mut self, tool: &str, arguments: &Value) -> Value {
        call(self.client, "execute_tool", &json!({ "tool_name": tool, "args": arguments })).unwrap()
    }

    #[track_caller]
    fn call(&mut self, tool: &str, arguments: &Value) -> Answer {
        let name = self.name(tool);
        call(self.client, &name, arguments)
    }

    /// How the gateway's clients know a tool or prompt of the server.
    fn name(&self, name: &str) -> String {
        format!("{}__{name}", self.server)
    }

    /// How they know a resource of it.
    fn uri(&self, rest: &str) -> String {
        format!("{}+demo://{rest}", self.server)
    }
}

/// What a client gets for a call.
#[track_caller]
pub(crate) fn call(client: &mut Client, name: &str, arguments: &Value) -> Answer {
    client.ask(&json!({ "do": "call", "name": name, "args": arguments }))
}

/// What a reference server knows of its calls.
#[track_caller]
pub(crate) fn cancelled(gateway: &Running, server: &str) -> Value {
    let seen = gateway.call(&format!("{server}__cancelled"), "{}").content();
    serde_json::from_str(&seen).expect("facts are JSON")
}

/// The names in a list.
#[track_caller]
pub(crate) fn names(listed: &Value, list: &str) -> Vec<String> {
    let entries = listed[list].as_array().unwrap_or_else(|| panic!("no {list} in {listed}"));
    entries.iter().map(|entry| entry["name"].as_str().expect("a name").to_owned()).collect()
}

/// The text parts of a result.
#[track_caller]
pub(crate) fn text(result: &Value) -> String {
    let parts = result["content"].as_array().unwrap_or_else(|| panic!("no content in {result}"));
    parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n")
}
