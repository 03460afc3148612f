//! The cookies that a browser keeps.

use std::collections::BTreeMap;

use crate::client::Client;
use crate::response::TestResponse;

/// The cookies of one browser at one host, by name.
#[derive(Clone, Debug, Default)]
pub struct CookieJar(pub BTreeMap<String, String>);

impl CookieJar {
    /// The same client, with the cookies.
    pub fn client(&self, client: &Client) -> Client {
        if self.0.is_empty() {
            return client.clone();
        }
        let pairs: Vec<_> = self
            .0
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        client.with("cookie", &pairs.join("; "))
    }

    /// Keeps and removes cookies as the response says. Requires that no script can read them, and that they are for all paths.
    pub fn keep(&mut self, response: &TestResponse) {
        for line in response.headers.get_all("set-cookie") {
            let line = line.to_str().expect("a cookie of visible ASCII");
            let (pair, attributes) = line.split_once("; ").expect("attributes");
            let (name, value) = pair.split_once('=').expect("a value");
            assert!(
                attributes.contains("HttpOnly") && attributes.contains("Path=/"),
                "{line}"
            );
            if attributes.contains("Max-Age=0") {
                self.0.remove(name);
            } else {
                self.0.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}
