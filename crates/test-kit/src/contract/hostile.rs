//! Input that no honest client sends: each request has to be answered as documented, none of them with a 500 or not at all.

mod bodies;
mod clients;
mod connections;
mod ids;
mod tokens;

use auth::Policy;

use super::target::Target;
use crate::client::Client;
use crate::service::TestService;

const FORM: &str = "application/x-www-form-urlencoded";

/// Sends a route hostile credentials, bodies, ids and pages, as far as it takes them.
pub(super) async fn check(target: &Target<'_>) {
    match target.route.policy {
        Policy::Anyone | Policy::Optional => {}
        Policy::Custom(_) => clients::check(target).await,
        _ => tokens::check(target).await,
    }
    let operation = target.document.operation(target.route);
    if target.has_body() {
        if operation["requestBody"]["content"][FORM].is_object() {
            bodies::check_form(target).await;
        } else {
            bodies::check_json(target).await;
        }
    }
    if target.has_id() {
        ids::check(target).await;
    }
    let mut parameters = operation["parameters"].as_array().into_iter().flatten();
    if parameters.any(|parameter| parameter["name"] == "cursor") {
        paging(&target.permitted_client(), target.route.path).await;
    }
}

/// Sends hostile request ids, paths and framing, which concern no route in particular.
pub(super) async fn check_outside_routes(service: &TestService) {
    connections::check_request_ids(service.anonymous()).await;
    connections::check_paths(service).await;
    connections::check_framing(service).await;
}

/// Requires that a list refuses every invalid `limit` and `cursor`.
pub async fn paging(client: &Client, path: &str) {
    for query in [
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=1.5",
        "limit=ten",
        "limit=",
        "limit=99999999999999999999",
        "limit=1&limit=2",
        "cursor=",
        "cursor=1",
        "cursor=%00",
        "cursor=AAAA",
        "cursor='%20or%201=1--",
    ] {
        client
            .get(&format!("{path}?{query}"))
            .await
            .assert_problem(400, "invalid_query");
    }
}
