//! Somebody who calls a service.

use std::time::Duration;

use actix_web::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::RequestBuilder;
use serde_json::Value;

use crate::answer::TestResponse;
use crate::service::TestService;

/// Somebody who calls a service: with a token or without.
#[derive(Clone, Debug)]
pub struct Client {
    base: String,
    http: reqwest::Client,
    headers: Vec<(String, String)>,
}

impl Client {
    /// A client without a token, of the service at this origin.
    pub fn new(base: impl Into<String>) -> Self {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(20))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("an HTTP client");
        Self {
            base: base.into(),
            http,
            headers: Vec::new(),
        }
    }

    /// The same with a bearer token.
    pub fn with_token(&self, token: &str) -> Self {
        let mut client = self.clone();
        client.headers.retain(|(name, _)| name != "authorization");
        client.with("authorization", &format!("Bearer {token}"))
    }

    /// The same as a registered client, by HTTP Basic. Neither the name nor the secret may need to be form-encoded.
    pub fn with_basic_auth(&self, name: &str, secret: &str) -> Self {
        let mut client = self.clone();
        client.headers.retain(|(name, _)| name != "authorization");
        client.with(
            "authorization",
            &format!("Basic {}", STANDARD.encode(format!("{name}:{secret}"))),
        )
    }

    /// The same somebody, as a client of another service.
    pub fn at(&self, service: &TestService) -> Self {
        Self {
            base: service.anonymous().base.clone(),
            ..self.clone()
        }
    }

    /// The same with one more header on every request.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        client.headers.push((name.to_owned(), value.to_owned()));
        client
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> TestResponse {
        self.send(&Method::GET, path, |request| request).await
    }

    /// `POST` with a JSON body.
    pub async fn post(&self, path: &str, body: Value) -> TestResponse {
        self.send(&Method::POST, path, |request| request.json(&body))
            .await
    }

    /// `POST` with a form, as it stands.
    pub async fn post_form(&self, path: &str, form: &str) -> TestResponse {
        let (name, value) = ("content-type", "application/x-www-form-urlencoded");
        self.send(&Method::POST, path, |request| {
            request.header(name, value).body(form.to_owned())
        })
        .await
    }

    /// `PUT` with a JSON body.
    pub async fn put(&self, path: &str, body: Value) -> TestResponse {
        self.send(&Method::PUT, path, |request| request.json(&body)).await
    }

    /// `PATCH` with a JSON body.
    pub async fn patch(&self, path: &str, body: Value) -> TestResponse {
        self.send(&Method::PATCH, path, |request| request.json(&body))
            .await
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &str) -> TestResponse {
        self.send(&Method::DELETE, path, |request| request).await
    }

    /// Any method, with whatever the request is made of.
    pub async fn send(
        &self,
        method: &Method,
        path: &str,
        build: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> TestResponse {
        let asked = format!("{method} {path}");
        let method = method.as_str().parse().expect("a method");
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let response = build(request)
            .send()
            .await
            .unwrap_or_else(|error| panic!("{asked}: no answer: {error:?}"));
        TestResponse::of(asked, response).await
    }
}
