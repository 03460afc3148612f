//! What a handler calls, it calls on behalf of the request that it answers.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};
use auth::{Anyone, ServiceClient, ServiceCredentials};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::things::Things;

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Asks a neighbour what it hears.
pub(crate) async fn call(_: Anyone, neighbour: Data<ServiceClient>) -> Json<Value> {
    let answer = neighbour.get("/heard").without_token().send().await;
    Json(answer.and_then(|answer| answer.json()).expect("an answer"))
}

/// Says what it hears.
pub(crate) async fn hear(_: Anyone, request: HttpRequest) -> Json<Value> {
    let heard = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    Json(json!({"id": heard("x-request-id"), "trace": heard("traceparent"), "from": heard("x-service-name")}))
}

/// A service, and one that it calls.
async fn neighbours() -> (Things, Things) {
    let called = Things::spawn().await;
    let credentials = ServiceCredentials::new("caller", SecretString::default(), "http://127.0.0.1/none");
    let client = ServiceClient::builder(
        &credentials,
        "thing-service",
        &format!("http://{}", called.address),
    );
    let client = client.build().expect("a client");
    (Things::spawn_as(|service| service.data(client)).await, called)
}

#[actix_web::test]
async fn the_id_and_the_trace_of_a_request_go_along_with_the_calls_that_are_made_for_it() {
    let (things, _called) = neighbours().await;
    let told = things
        .anonymous()
        .with("x-request-id", "from-the-gateway")
        .with("traceparent", TRACE);
    let told = told.get("/calls").await;
    told.assert(
        200,
        json!({"id": "from-the-gateway", "trace": TRACE, "from": "caller"}),
    );
    // The next request on this connection has no part in it.
    let untold = things.anonymous().get("/calls").await;
    let id = untold.header("x-request-id").to_owned();
    untold.assert(200, json!({"id": id, "trace": null, "from": "caller"}));
}

#[actix_web::test]
async fn what_may_not_be_taken_from_a_stranger_is_not_handed_on() {
    let (things, _called) = neighbours().await;
    let answer = things
        .anonymous()
        .with("x-request-id", "a b")
        .with("traceparent", "a b")
        .get("/calls")
        .await;
    let id = answer.header("x-request-id").to_owned();
    answer.assert(200, json!({"id": id, "trace": null, "from": "caller"}));
}
