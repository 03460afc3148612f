//! Calls to neighbours carry the id and the trace of the request that caused them.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};
use auth::{Anyone, ServiceClient, ServiceCredentials};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::test_service::Things;

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Calls a neighbour and returns the headers that arrived there.
pub(crate) async fn call(_: Anyone, neighbour: Data<ServiceClient>) -> Json<Value> {
    let answer = neighbour.get("/received").without_token().send().await;
    Json(answer.and_then(|answer| answer.json()).expect("an answer"))
}

/// Returns the headers that arrived.
pub(crate) async fn receive(_: Anyone, request: HttpRequest) -> Json<Value> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    Json(
        json!({"id": header("x-request-id"), "trace": header("traceparent"), "from": header("x-service-name")}),
    )
}

/// A service and the neighbour that it calls.
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
async fn calls_carry_the_id_and_the_trace_of_their_request() {
    let (things, _called) = neighbours().await;
    let traced = things
        .anonymous()
        .with("x-request-id", "from-the-gateway")
        .with("traceparent", TRACE);
    let answer = traced.get("/calls").await;
    answer.assert(
        200,
        json!({"id": "from-the-gateway", "trace": TRACE, "from": "caller"}),
    );
    // The next request on the same connection has no trace.
    let untraced = things.anonymous().get("/calls").await;
    let id = untraced.header("x-request-id").to_owned();
    untraced.assert(200, json!({"id": id, "trace": null, "from": "caller"}));
}

#[actix_web::test]
async fn an_invalid_id_or_trace_is_not_passed_on() {
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
