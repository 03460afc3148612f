//! The OpenAPI document and the routes say the same.

use std::collections::BTreeSet;

use auth::Routes;
use serde_json::json;
use service_kit::common_routes;

use crate::client::Client;

/// Requires that the document describes every route and no other, and says of each who may call it as the route's policy does.
pub async fn check(service: &Client, routes: Routes) {
    let document = service.get("/openapi.json").await.assert_status(200).json();
    assert!(
        document["openapi"]
            .as_str()
            .is_some_and(|version| version.starts_with("3.")),
        "{document}"
    );

    let documented: BTreeSet<String> = document["paths"]
        .as_object()
        .into_iter()
        .flatten()
        .flat_map(|(path, item)| {
            item.as_object()
                .into_iter()
                .flatten()
                .map(move |(method, _)| format!("{method} {path}"))
        })
        .collect();
    let routes = routes.and(common_routes());
    let served = routes
        .iter()
        .map(|route| format!("{} {}", route.method.as_str().to_lowercase(), route.path))
        .collect();
    assert_eq!(documented, served, "left: documented, right: served");

    for route in routes.iter() {
        let operation = &document["paths"][route.path][route.method.as_str().to_lowercase()];
        let needs_token = !matches!(route.policy, auth::Policy::Anyone | auth::Policy::Optional);
        let takes_strangers = operation["security"]
            .as_array()
            .is_none_or(|any| any.is_empty() || any.contains(&json!({})));
        assert_eq!(takes_strangers, !needs_token, "{route:?}");
        assert!(
            !needs_token || operation["responses"]["401"].is_object(),
            "{route:?}"
        );
        let summary = operation["summary"].as_str().unwrap_or_default();
        assert!(!summary.is_empty(), "{route:?} is not described");
    }
    service.get("/docs/").await.assert_status(200);
}
