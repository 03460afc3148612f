//! A page in a browser, which keeps its session in cookies and never sees a token.

use actix_web::http::Method;
use serde_json::{Value, json};
use test_kit::{Client, CookieJar, TestResponse};

use crate::platform::{CHEAP_HASHES, PASSWORD, Platform};
use crate::sandbox::{GATEWAY, Sandbox};
use crate::shop::lamp;
use crate::trader::order_of;
use crate::{BUSY, within};

/// A browser that shows a page of the platform.
#[derive(Clone, Default)]
struct Browser {
    jar: CookieJar,
    origin: String,
}

impl Browser {
    fn new(platform: &Platform) -> Self {
        Self {
            origin: format!("http://localhost:{}", platform.port(GATEWAY)),
            ..Self::default()
        }
    }

    /// Logs in with cookies.
    async fn log_in(&mut self, platform: &Platform, email: &str) {
        let login = json!({"email": email, "password": PASSWORD});
        self.send(platform, "POST", "/auth/login?session=cookie", Some(login))
            .await
            .assert_status(200);
    }

    /// A script in the page.
    fn page(&self, client: &Client) -> Client {
        self.jar.client(client).with("origin", &self.origin)
    }

    /// Sends a request to the gateway, and keeps the cookies that the response sets.
    async fn send(
        &mut self,
        platform: &Platform,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> TestResponse {
        let method: Method = method.parse().unwrap();
        let page = self.page(platform.anonymous());
        let response = page
            .send(&method, path, |request| match &body {
                Some(body) => request.json(body),
                None => request,
            })
            .await;
        self.jar.keep(&response);
        response
    }
}

/// Calls each service directly with the browser's cookies.
async fn codes_of_services(platform: &Platform, browser: &Browser) -> Vec<Value> {
    let mut codes = Vec::new();
    for (service, path) in [("user-service", "/users/me"), ("order-service", "/orders")] {
        let response = browser.page(platform.anonymous_at(service)).get(path).await;
        codes.push(if response.status == 200 {
            json!(200)
        } else {
            response.json()["code"].clone()
        });
    }
    let response = browser
        .page(platform.anonymous_at("product-service"))
        .post("/products", json!({}))
        .await;
    codes.push(response.json()["code"].clone());
    codes
}

#[tokio::test]
async fn a_page_logs_in_shops_refreshes_and_logs_out_with_cookies() {
    let sandbox = Sandbox::new().await;
    let platform = sandbox.platform().await;
    platform.register("ada@example.com").await.assert_status(201);
    let mut ada = Browser::new(&platform);
    let login = json!({"email": "ada@example.com", "password": PASSWORD});
    let response = ada
        .send(&platform, "POST", "/auth/login?session=cookie", Some(login))
        .await;
    response.assert_status(200);
    assert_eq!(ada.jar.0.len(), 2);
    for token in ada.jar.0.values() {
        assert!(!response.body.contains(token), "{}", response.body);
    }

    // Sells a lamp, and buys it.
    let created = ada.send(&platform, "POST", "/api/products", Some(lamp())).await;
    let product = created.assert_status(201).json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let stock = format!("/api/inventory/{product}");
    ada.send(&platform, "PUT", &stock, Some(json!({"on_hand": 2})))
        .await
        .assert_status(200);
    let order = ada
        .send(&platform, "POST", "/api/orders", Some(order_of(&product, 1)))
        .await;
    order.assert(201, json!({"status": "confirmed"}));
    let orders = ada.send(&platform, "GET", "/api/orders", None).await;
    assert_eq!(
        orders.assert_status(200).json()["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        codes_of_services(&platform, &ada).await,
        [json!(200), json!(200), json!("invalid_body")]
    );

    // A page of another site can't do the same, and can't log the browser in.
    let login = json!({"email": "ada@example.com", "password": PASSWORD});
    platform
        .anonymous()
        .with("origin", "https://evil.example")
        .post("/auth/login?session=cookie", login)
        .await
        .assert_problem(403, "cross_site");
    let evil = Browser {
        origin: "https://evil.example".to_owned(),
        ..ada.clone()
    };
    for (service, path) in [
        (GATEWAY, "/api/orders"),
        ("order-service", "/orders"),
        (GATEWAY, "/auth/logout"),
        ("user-service", "/auth/refresh"),
    ] {
        let response = evil
            .page(platform.anonymous_at(service))
            .post(path, order_of(&product, 1))
            .await;
        response.assert_problem(403, "cross_site");
    }

    let first = ada.clone();
    let response = ada.send(&platform, "POST", "/auth/refresh", None).await;
    response.assert(200, json!({"user": {"email": "ada@example.com"}}));
    assert_ne!(ada.jar.0, first.jar.0);
    ada.send(&platform, "GET", "/api/orders", None)
        .await
        .assert_status(200);

    let before = ada.clone();
    ada.send(&platform, "POST", "/auth/logout", None)
        .await
        .assert_status(204);
    assert!(ada.jar.0.is_empty());
    ada.send(&platform, "GET", "/auth/current-user", None)
        .await
        .assert(200, json!({"current_user": null}));

    // The cookies of before are worth nothing, wherever they are sent.
    for mut stolen in [first, before] {
        within(BUSY, "every service refuses the cookie", async || {
            codes_of_services(&platform, &stolen).await == vec![json!("token_revoked"); 3]
        })
        .await;
        stolen
            .send(&platform, "GET", "/api/orders", None)
            .await
            .assert_problem(401, "token_revoked");
        stolen
            .send(&platform, "POST", "/auth/refresh", None)
            .await
            .assert_problem(401, "invalid_refresh_token");
        assert!(stolen.jar.0.is_empty());
    }
}

/// `Cookie` headers with a refresh cookie that counts as none, and whether its name is that of the configured form.
fn bad_refresh_cookies(token: &str) -> Vec<(String, bool)> {
    let refresh = "countersign_refresh";
    let bad = [
        format!("{refresh}={token}; {refresh}={token}"),
        format!("{refresh}={token}; theme=dark; {refresh}="),
        // As bytes: the gateway must not drop one of them, and make the other one count.
        format!("{refresh}=\u{e9}; {refresh}={token}"),
        format!("{refresh}=\u{e9}"),
        format!("{refresh}="),
        format!("{refresh}={}", &token[1..]),
        format!("{refresh}={token}{token}"),
        format!("{refresh}={}", "A".repeat(9_000)),
    ];
    let other_form = format!("__Host-countersign-refresh={token}");
    let bad = bad.into_iter().map(|cookie| (cookie, true));
    bad.chain([(other_form, false)]).collect()
}

/// The status of a response, and what it does to the cookies.
fn effect(response: &TestResponse) -> (u16, &'static str) {
    let lines = response.headers.get_all("set-cookie").iter();
    let removals: Vec<_> = lines
        .map(|line| line.to_str().unwrap().contains("Max-Age=0"))
        .collect();
    let effect = match removals.as_slice() {
        [] => "keeps both",
        [true, true] => "removes both",
        [false, false] => "sets both",
        other => panic!("{other:?}: {response:?}"),
    };
    (response.status, effect)
}

#[tokio::test]
async fn a_bad_refresh_cookie_counts_as_none_at_user_service_and_through_the_gateway() {
    let sandbox = Sandbox::new().await;
    let platform = sandbox.platform_with(&CHEAP_HASHES).await;
    platform.register("ada@example.com").await.assert_status(201);
    let mut ada = Browser::new(&platform);
    ada.log_in(&platform, "ada@example.com").await;
    let token = ada.jar.0["countersign_refresh"].clone();
    let evil = "https://evil.example".to_owned();

    let send = async |service: &str, cookie: &str, origin: Option<&String>, path: &str| {
        let client = platform.anonymous_at(service).with("cookie", cookie);
        let client = origin.map_or(client.clone(), |origin| client.with("origin", origin));
        let login = json!({"email": "ada@example.com", "password": PASSWORD});
        let post = |request: reqwest::RequestBuilder| match path {
            "/auth/login?session=cookie" => request.json(&login),
            _ => request,
        };
        effect(&client.send(&Method::POST, path, post).await)
    };
    let outcomes = [
        ("/auth/refresh", (401, "removes both")),
        ("/auth/login?session=cookie", (200, "sets both")),
        ("/auth/logout", (204, "removes both")),
    ];
    for service in ["user-service", GATEWAY] {
        for (path, outcome) in outcomes {
            for (cookie, is_known) in bad_refresh_cookies(&token) {
                for origin in [None, Some(&ada.origin)] {
                    let found = send(service, &cookie, origin, path).await;
                    assert_eq!(found, outcome, "{service}, {path}, {cookie}, {origin:?}");
                }
                let found = send(service, &cookie, Some(&evil), path).await;
                // user-service does not look at a cookie of the other form, and the gateway passes both.
                let is_refused = is_known || service == GATEWAY || path != "/auth/refresh";
                let expected = if is_refused { 403 } else { 401 };
                assert_eq!(found, (expected, "keeps both"), "{service}, {path}, {cookie}");
            }
            // A good one must come from a page of the platform.
            let good = format!("countersign_refresh={token}");
            for origin in [None, Some(&evil)] {
                let found = send(service, &good, origin, path).await;
                assert_eq!(found, (403, "keeps both"), "{service}, {path}, {origin:?}");
            }
        }
    }
    ada.send(&platform, "POST", "/auth/refresh", None)
        .await
        .assert_status(200);
}

#[tokio::test]
async fn with_gateway_a_page_refreshes_and_logs_out_with_cookies() {
    let sandbox = Sandbox::new().await;
    let platform = sandbox.platform_with(&[("AUTH_STRATEGY", "gateway")]).await;
    platform.register("ada@example.com").await.assert_status(201);
    let mut ada = Browser::new(&platform);
    ada.log_in(&platform, "ada@example.com").await;
    let first = ada.clone();
    ada.send(&platform, "POST", "/auth/refresh", None)
        .await
        .assert(200, json!({"user": {"email": "ada@example.com"}}));
    assert_ne!(ada.jar.0, first.jar.0);
    ada.send(&platform, "GET", "/api/users/me", None)
        .await
        .assert_status(200);
    let before = ada.clone();
    ada.send(&platform, "POST", "/auth/logout", None)
        .await
        .assert_status(204);
    assert!(ada.jar.0.is_empty());
    for mut stolen in [first, before] {
        stolen
            .send(&platform, "POST", "/auth/refresh", None)
            .await
            .assert_problem(401, "invalid_refresh_token");
    }

    // An app whose pages have no origin.
    let pair = platform.login("ada@example.com", PASSWORD).await.json();
    let app = platform
        .anonymous()
        .with("origin", "null")
        .with_token(pair["access_token"].as_str().unwrap());
    let response = app.send(&Method::POST, "/auth/logout", |request| request).await;
    assert_eq!(effect(&response), (204, "removes both"));
    platform
        .refresh(&pair)
        .await
        .assert_problem(401, "invalid_refresh_token");
}
