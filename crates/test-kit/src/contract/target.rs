//! One route under test.

use actix_web::http::Method;
use auth::{ListedRoute, Policy};
use reqwest::RequestBuilder;
use serde_json::json;

use super::document::Document;
use crate::client::Client;
use crate::response::TestResponse;
use crate::service::TestService;

/// An id that no row has.
pub(super) const UNKNOWN_ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// A route, its service, and the document that has to describe each of its responses.
pub(super) struct Target<'t> {
    pub service: &'t TestService,
    pub document: &'t Document,
    pub route: &'t ListedRoute,
}

impl Target<'_> {
    /// Calls the route with an id that no row has and, where it takes a body, with an empty object.
    pub(super) async fn call(&self, client: &Client) -> TestResponse {
        let has_body = self.has_body();
        self.send(client, |request| {
            if has_body {
                request.json(&json!({}))
            } else {
                request
            }
        })
        .await
    }

    /// Sends a request with an id that no row has.
    pub(super) async fn send(
        &self,
        client: &Client,
        build: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> TestResponse {
        let path = self.route.path.replace("{id}", UNKNOWN_ID);
        self.send_to(client, &path, build).await
    }

    /// Sends a request to a path of this route. The response has to be one that the document describes.
    pub(super) async fn send_to(
        &self,
        client: &Client,
        path: &str,
        build: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> TestResponse {
        let response = client.send(&self.route.method, path, build).await;
        self.document.check_response(self.route, &response);
        response
    }

    pub(super) fn has_body(&self) -> bool {
        [Method::POST, Method::PUT, Method::PATCH].contains(&self.route.method)
    }

    pub(super) fn has_id(&self) -> bool {
        self.route.path.contains("{id}")
    }

    /// A client that the route's policy admits.
    pub(super) fn permitted_client(&self) -> Client {
        match self.route.policy {
            Policy::Anyone | Policy::Optional => self.service.anonymous().clone(),
            Policy::AnyService => self.service.service("order-service"),
            Policy::Service(name) => self.service.service(name),
            Policy::Custom(_) => self.service.registered_client().clone(),
            Policy::User | Policy::AnyRole(_) | Policy::Scope(_) => self.service.admin(),
        }
    }
}
