//! Sessions in the cookies of browsers.

mod access;
mod clearing;
mod cross_site;
mod login;
mod refresh;

use actix_web::http::Method;
use serde_json::{Value, json};
use test_kit::{Client, TestResponse, TestService};

use crate::{PASSWORD, register};

/// The origin of the platform under test.
const OWN: &str = "http://localhost:8080";
const ACCESS: &str = "countersign_access";
const REFRESH: &str = "countersign_refresh";

/// The tokens that a browser keeps.
struct Cookies {
    access: String,
    refresh: String,
}

impl Cookies {
    /// The cookies that a response sets.
    fn of(response: &TestResponse) -> Self {
        Self {
            access: set_by(response, ACCESS).unwrap(),
            refresh: set_by(response, REFRESH).unwrap(),
        }
    }

    /// A page of the platform in a browser with these cookies.
    fn page(&self, service: &TestService) -> Client {
        page(
            service,
            &format!("{ACCESS}={}; {REFRESH}={}", self.access, self.refresh),
        )
    }

    /// A page in a browser whose access cookie has expired.
    fn page_without_access(&self, service: &TestService) -> Client {
        page(service, &format!("{REFRESH}={}", self.refresh))
    }
}

/// A page of the platform in a browser with these cookies.
fn page(service: &TestService, cookies: &str) -> Client {
    service.anonymous().with("cookie", cookies).with("origin", OWN)
}

/// The lines by which a response sets or removes cookies.
fn set_cookies(response: &TestResponse) -> Vec<&str> {
    let lines = response.headers.get_all("set-cookie").iter();
    lines.map(|line| line.to_str().unwrap()).collect()
}

/// The value to which a response sets a cookie.
fn set_by(response: &TestResponse, name: &str) -> Option<String> {
    let prefix = format!("{name}=");
    let lines: Vec<_> = set_cookies(response);
    let mut values = lines.iter().filter_map(|line| line.strip_prefix(&prefix));
    let value = values.next()?.split(';').next().unwrap().to_owned();
    assert_eq!(values.next(), None, "{name} is set twice: {lines:?}");
    Some(value)
}

/// Whether a response removes both cookies.
fn removes_both(response: &TestResponse) -> bool {
    let mut removed = set_cookies(response);
    removed.sort_unstable();
    removed == [ACCESS, REFRESH].map(|name| format!("{name}=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0"))
}

/// Registers Ada, and logs her in with cookies.
async fn ada_with_cookies(service: &TestService) -> Cookies {
    register(service, "ada@example.com").await;
    logged_in_with_cookies(service, "ada@example.com").await
}

async fn logged_in_with_cookies(service: &TestService, email: &str) -> Cookies {
    let body = json!({"email": email, "password": PASSWORD});
    let response = service
        .anonymous()
        .with("origin", OWN)
        .post("/auth/login?session=cookie", body)
        .await;
    Cookies::of(response.assert_status(200))
}

/// `POST` without a body.
async fn post(client: &Client, path: &str) -> TestResponse {
    client.send(&Method::POST, path, |request| request).await
}

async fn post_json(client: &Client, path: &str, body: Value) -> TestResponse {
    client.post(path, body).await
}
