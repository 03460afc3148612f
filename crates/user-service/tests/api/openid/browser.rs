//! A browser: a client that keeps cookies.

use std::collections::BTreeMap;

use serde_json::Value;
use test_kit::{Client, TestResponse, TestService};

/// A browser at the service under test.
pub struct Browser {
    client: Client,
    pub cookies: BTreeMap<String, String>,
}

impl Browser {
    pub fn of(service: &TestService) -> Self {
        Self {
            client: service.anonymous().clone(),
            cookies: BTreeMap::new(),
        }
    }

    /// The same browser with one more header on each request.
    pub fn with(self, name: &str, value: &str) -> Self {
        Self {
            client: self.client.with(name, value),
            ..self
        }
    }

    pub async fn get(&mut self, path: &str) -> TestResponse {
        let response = self.client().get(path).await;
        self.keep_cookies(&response);
        response
    }

    pub async fn post(&mut self, path: &str, body: Value) -> TestResponse {
        let response = self.client().post(path, body).await;
        self.keep_cookies(&response);
        response
    }

    /// A client that sends the cookies, but does not keep new ones.
    pub fn client(&self) -> Client {
        if self.cookies.is_empty() {
            return self.client.clone();
        }
        let pairs: Vec<_> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        self.client.with("cookie", &pairs.join("; "))
    }

    fn keep_cookies(&mut self, response: &TestResponse) {
        for header in response.headers.get_all("set-cookie") {
            let header = header.to_str().unwrap();
            let (pair, attributes) = header.split_once(';').unwrap_or((header, ""));
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}
