//! Many calls side by side: every notification reaches its own caller, in order, before the answer.

use gateway_core::Era;
use serde_json::Value;

use crate::client::{Ask, Client};
use crate::rig::{Rig, Setup, Wire, in_time, reference};
use crate::told::Told;

/// Checks that a call was told all `steps` steps, in order, under its own id.
fn check(id: &str, told: &Told, steps: u64) {
    let heard: Vec<u64> = told
        .before
        .iter()
        .map(|message| {
            let params: Value = serde_json::from_str(&message.params).unwrap();
            assert_eq!(params["progressToken"], format!("token {id}"), "of another call");
            params["progress"].as_u64().unwrap()
        })
        .collect();
    let missing: Vec<u64> = (1..=steps).filter(|step| !heard.contains(step)).collect();
    assert_eq!(missing, [0; 0], "call {id} misses {} of {steps}", missing.len());
    assert_eq!(heard, (1..=steps).collect::<Vec<_>>(), "call {id}: out of order, or twice");
    assert_eq!(told.text(), "done");
}

/// Clients of every kind, two of each.
async fn crowd(rig: &Rig) -> Vec<Client> {
    let mut clients = Vec::new();
    for era in [Era::Legacy, Era::Modern, Era::Legacy, Era::Modern] {
        for wire in [Wire::Http, Wire::Stdio] {
            clients.push(Client::of(rig, era, wire).await);
        }
    }
    clients
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_calls_with_a_hundred_notifications_each() {
    let servers = vec![
        (Wire::Http, reference("a", Era::Legacy)),
        (Wire::Http, reference("b", Era::Modern)),
        (Wire::Stdio, reference("c", Era::Legacy)),
        (Wire::Stdio, reference("d", Era::Modern)),
    ];
    let rig = Rig::new(Setup { servers, ..Setup::default() }).await;
    let clients = crowd(&rig).await;
    let mut calls = Vec::new();
    for number in 0..200 {
        let (client, server) = (&clients[number % 8], ["a", "b", "c", "d"][number / 8 % 4]);
        calls.push(client.begin(Ask::tool(&format!("{server}__progress"), r#"{"steps":100}"#).with_progress()));
    }
    for (id, call) in calls {
        check(&id, &in_time("an answer", call).await.unwrap(), 100);
    }
    for client in &clients {
        let strays = client.about.heard();
        assert!(strays.is_empty(), "{} messages that belong to no call: {:?}", strays.len(), strays.first());
    }
    rig.close().await;
}

/// What a server says in one breath, as much as may wait for a reader, is all there before the answer.
#[tokio::test]
async fn a_thousand_notifications_in_one_breath() {
    for behind in [Wire::Http, Wire::Stdio] {
        let rig = Rig::new(Setup { servers: vec![(behind, reference("a", Era::Legacy))], ..Setup::default() }).await;
        for client in crowd(&rig).await.into_iter().take(4) {
            let (id, call) = client.begin(Ask::tool("progress", r#"{"steps":1000}"#).with_progress());
            check(&id, &in_time("an answer", call).await.unwrap(), 1000);
        }
        rig.close().await;
    }
}
