//! Requests in other languages, of tools that describe themselves in English.

use std::sync::Arc;

use gateway_core::ServerTools;

use crate::catalogue::{index, name, rank, server, tool};

fn servers() -> Vec<Arc<ServerTools>> {
    let everyday = [
        tool("delete_file", "Deletes a file from the disk", &[("path", "Where it is")]),
        tool("send_email", "Sends an email to somebody", &[("to", ""), ("subject", ""), ("body", "")]),
        tool("get_weather_forecast", "The weather of the next days in a city", &[("city", "")]),
        tool("search_flights", "Finds flights between two airports", &[("from", ""), ("to", "")]),
        tool("translate_text", "Translates a text to another language", &[("text", ""), ("target", "")]),
        tool("create_calendar_event", "Puts a meeting in the calendar", &[("start", ""), ("title", "")]),
        tool("list_users", "All users of the workspace", &[]),
        tool("get_stock_price", "What a share costs now", &[("symbol", "")]),
    ];
    vec![server("everyday", "", &everyday)]
}

#[tokio::test]
async fn plain_requests_are_understood() {
    let servers = servers();
    let index = index(&servers).await;
    for (query, expected) in [
        ("elimina el archivo", "delete_file"),
        ("enviar un correo a Ana", "send_email"),
        ("busca vuelos a Madrid", "search_flights"),
        ("quel temps fait-il, montre la météo de Paris", "get_weather_forecast"),
        ("supprimer les fichiers", "delete_file"),
        ("wie wird das Wetter in Berlin", "get_weather_forecast"),
        ("Datei löschen", "delete_file"),
        ("eine E-Mail an Anna senden, schicke die Nachricht per email", "send_email"),
        ("traduzir este texto", "translate_text"),
        ("mostra il prezzo delle azioni", "get_stock_price"),
        ("zoek vluchten naar Rome", "search_flights"),
        ("usuń plik", "delete_file"),
        ("удали файлы", "delete_file"),
        ("какая погода в Москве", "get_weather_forecast"),
        ("dosyayı sil", "delete_file"),
        ("احذف الملف", "delete_file"),
        ("मौसम दिखाओ", "get_weather_forecast"),
        ("北京明天的天气怎么样", "get_weather_forecast"),
        ("删除这个文件", "delete_file"),
        ("搜索去东京的航班", "search_flights"),
        ("ファイルを削除して", "delete_file"),
        ("会議の予定を作成", "create_calendar_event"),
        ("사용자 목록을 보여줘", "list_users"),
        ("날씨 알려줘", "get_weather_forecast"),
    ] {
        let found = rank(&*index, query).await;
        assert_eq!(found.first().map(|found| name(&servers, found)).as_deref(), Some(expected), "{query}: {found:?}");
    }
}

#[tokio::test]
async fn the_reason_says_what_was_translated() {
    let servers = servers();
    let index = index(&servers).await;
    for (query, reasoning) in [
        ("elimina el archivo", "name: delete (for elimina), file (for archivo)"),
        ("删除这个文件", "name: delete (for 删除), file (for 文件)"),
    ] {
        assert_eq!(rank(&*index, query).await[0].reasoning, reasoning);
    }
}

#[tokio::test]
async fn words_that_say_nothing_in_any_language_find_nothing() {
    let servers = servers();
    let index = index(&servers).await;
    for query in ["el de la", "und die der", "и на с", "의 를", "的了吗"] {
        assert_eq!(rank(&*index, query).await, [], "{query}");
    }
}
