//! A client of a service under test.

use std::net::IpAddr;
use std::time::Duration;

use actix_web::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::RequestBuilder;
use serde_json::Value;

use crate::event_stream::EventStream;
use crate::response::TestResponse;

/// An HTTP client of one service, with the headers that it sends on every request.
#[derive(Clone, Debug)]
pub struct Client {
    base: String,
    http: reqwest::Client,
    headers: Vec<(String, String)>,
}

impl Client {
    /// An anonymous client of the service at this origin.
    pub fn new(base: impl Into<String>) -> Self {
        Self::build(base.into(), None)
    }

    /// Like [`new`](Self::new), with this source address for its connections. On Linux, all of 127.0.0.0/8 are addresses of this
    /// machine.
    pub fn from_address(base: impl Into<String>, source: IpAddr) -> Self {
        Self::build(base.into(), Some(source))
    }

    fn build(base: String, source: Option<IpAddr>) -> Self {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(20))
            .redirect(reqwest::redirect::Policy::none())
            .local_address(source)
            .build()
            .expect("an HTTP client");
        Self {
            base,
            http,
            headers: Vec::new(),
        }
    }

    /// The same client with this bearer token in place of any other credential.
    pub fn with_token(&self, token: &str) -> Self {
        let mut client = self.clone();
        client.headers.retain(|(name, _)| name != "authorization");
        client.with("authorization", &format!("Bearer {token}"))
    }

    /// The same client with HTTP Basic in place of any other credential. RFC 6749 §2.3.1 form-encodes name and secret; here
    /// neither may contain a character that changes.
    pub fn with_basic_auth(&self, name: &str, secret: &str) -> Self {
        let mut client = self.clone();
        client.headers.retain(|(name, _)| name != "authorization");
        client.with(
            "authorization",
            &format!("Basic {}", STANDARD.encode(format!("{name}:{secret}"))),
        )
    }

    /// The same client, for the service of another client.
    pub fn at(&self, other: &Self) -> Self {
        Self {
            base: other.base.clone(),
            ..self.clone()
        }
    }

    /// The same client with one more header.
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

    /// `POST` with an encoded form.
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

    /// Sends a request of any method; `build` adds headers and the body.
    pub async fn send(
        &self,
        method: &Method,
        path: &str,
        build: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> TestResponse {
        let response = self.response(method, path, build).await;
        TestResponse::read(format!("{method} {path}"), response).await
    }

    /// `GET` of a stream of events.
    pub async fn events(&self, path: &str) -> EventStream {
        /// Longer than any test.
        const TIMEOUT: Duration = Duration::from_secs(3_600);
        let response = self
            .response(&Method::GET, path, |request| request.timeout(TIMEOUT))
            .await;
        assert_eq!(response.status(), 200, "GET {path}");
        EventStream::new(response)
    }

    async fn response(
        &self,
        method: &Method,
        path: &str,
        build: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> reqwest::Response {
        let reqwest_method = method.as_str().parse().expect("a method");
        let mut request = self.http.request(reqwest_method, format!("{}{path}", self.base));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        build(request)
            .send()
            .await
            .unwrap_or_else(|error| panic!("{method} {path}: no response: {error:?}"))
    }
}
