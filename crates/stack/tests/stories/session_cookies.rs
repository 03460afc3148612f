//! A page in a browser, which keeps its session in cookies and never sees a token.

use actix_web::http::Method;
use serde_json::{Value, json};
use test_kit::{Client, CookieJar, TestResponse};

use crate::platform::{PASSWORD, Platform};
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

/// Calls each service itself, as a page that a cookie reaches in spite of everything.
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
