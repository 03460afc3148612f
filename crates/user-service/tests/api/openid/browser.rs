//! A browser at the service under test.

use serde_json::Value;
use test_kit::{Client, CookieJar, TestResponse, TestService};

/// A client that keeps cookies.
pub struct Browser {
    client: Client,
    jar: CookieJar,
}

impl Browser {
    pub fn of(service: &TestService) -> Self {
        Self {
            client: service.anonymous().clone(),
            jar: CookieJar::default(),
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
        self.jar.keep(&response);
        response
    }

    pub async fn post(&mut self, path: &str, body: Value) -> TestResponse {
        let response = self.client().post(path, body).await;
        self.jar.keep(&response);
        response
    }

    /// A client that sends the cookies, but does not keep new ones.
    pub fn client(&self) -> Client {
        self.jar.client(&self.client)
    }

    /// The names of the cookies.
    pub fn cookies(&self) -> Vec<&str> {
        self.jar.0.keys().map(String::as_str).collect()
    }

    /// The value of a cookie.
    pub fn cookie(&self, name: &str) -> &str {
        &self.jar.0[name]
    }
}
