//! What a call says of who calls, and on whose behalf.

use std::process::Command;

use auth::{CallError, ServiceClient, ServiceClientError, ServiceCredentials, TraceContext};
use secrecy::SecretString;
use serde_json::json;

use crate::fake::Fake;
use crate::heard::Heard;
use crate::house::{House, SECRET, fine};

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn context(heard: &Heard) -> (Option<&str>, Option<&str>) {
    (heard.header("x-request-id"), heard.header("traceparent"))
}

#[tokio::test]
async fn a_call_says_who_calls_and_what_it_brings() {
    let house = House::beside(fine);
    house.get().await.unwrap();
    house
        .client
        .put("/things/1?a=b")
        .json(&json!({"a": "ä"}))
        .send()
        .await
        .unwrap();
    house.client.delete("/things/1").send().await.unwrap();

    let heard = house.neighbour.heard();
    assert!(
        heard
            .iter()
            .all(|heard| heard.header("x-service-name") == Some("order-service"))
    );
    let said: Vec<_> = heard
        .iter()
        .map(|heard| {
            (
                heard.what.as_str(),
                heard.header("content-type"),
                heard.body.as_str(),
            )
        })
        .collect();
    let json = Some("application/json");
    let expected = [
        ("GET /things", None, ""),
        ("PUT /things/1?a=b", json, "{\"a\":\"ä\"}"),
        ("DELETE /things/1", None, ""),
    ];
    assert_eq!(said, expected);
}

#[tokio::test]
async fn a_call_goes_on_behalf_of_the_request_that_it_is_made_for() {
    let house = House::beside(fine);
    house.get().await.unwrap();
    TraceContext::new("an-id", Some(TRACE))
        .scope(house.get())
        .await
        .unwrap();
    TraceContext::new("an-id", None).scope(house.get()).await.unwrap();
    TraceContext::new("an\nid", Some("nonsense"))
        .scope(house.get())
        .await
        .unwrap();
    let client = house.client.clone();
    let spawned = async { tokio::spawn(async move { client.get("/").send().await }).await };
    TraceContext::new("an-id", Some(TRACE))
        .scope(spawned)
        .await
        .unwrap()
        .unwrap();

    let heard = house.neighbour.heard();
    let contexts: Vec<_> = heard.iter().map(context).collect();
    let (id, trace) = (Some("an-id"), Some(TRACE));
    assert_eq!(
        contexts,
        [(None, None), (id, trace), (id, None), (None, None), (None, None)]
    );
    // Whoever's call was the first: the token is for all.
    assert_eq!(context(&house.tokens.heard()[0]), (None, None));
}

#[tokio::test]
async fn no_path_leads_to_another_origin() {
    let (house, elsewhere) = (House::beside(fine), Fake::that(fine));
    let address = elsewhere.address;
    for path in [
        "",
        "things",
        &format!("@{address}/"),
        &format!("//{address}/"),
        &elsewhere.url("/"),
        "/../..",
    ] {
        house.client.get(path).send().await.unwrap();
    }
    let what: Vec<_> = house
        .neighbour
        .heard()
        .into_iter()
        .map(|heard| heard.what)
        .collect();
    let expected = [
        "GET /",
        "GET /things",
        &format!("GET /@{address}/"),
        &format!("GET //{address}/"),
        &format!("GET /http://{address}/"),
        "GET /",
    ];
    assert_eq!(what, expected);
    assert_eq!(elsewhere.count(), 0);
}

#[tokio::test]
async fn what_is_no_json_is_not_sent() {
    let house = House::beside(fine);
    let outcome = house
        .client
        .post("/")
        .json(&std::collections::HashMap::from([(vec![1], 1)]))
        .send()
        .await;
    assert!(matches!(outcome, Err(CallError::InvalidJson(_))));
    assert_eq!((house.neighbour.count(), house.tokens.count()), (0, 0));
}

#[test]
fn there_is_no_client_of_what_can_not_be_called() {
    let build = |name: &str, token_url: &str, origin: &str| {
        let credentials = ServiceCredentials::new(name, SecretString::from(SECRET), token_url);
        ServiceClient::builder(&credentials, "b", origin).build()
    };
    let good = "http://localhost:1";
    assert!(build("a", good, good).is_ok());
    for bad in ["", "localhost:1", "/", "ftp://localhost", "file:///", "http://"] {
        assert!(
            matches!(build("a", bad, good), Err(ServiceClientError::Url)),
            "{bad}"
        );
        assert!(
            matches!(build("a", good, bad), Err(ServiceClientError::Url)),
            "{bad}"
        );
    }
    assert!(matches!(build("a\nb", good, good), Err(ServiceClientError::Name)));
}

#[test]
fn no_proxy_is_asked_that_the_environment_names() {
    let mut this = Command::new(std::env::current_exe().unwrap());
    this.args(["--exact", "sends::a_call_says_who_calls_and_what_it_brings"]);
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        this.env(name, "http://127.0.0.1:9");
    }
    let told = this
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .output()
        .unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(told.contains("1 passed"), "{told}");
}
