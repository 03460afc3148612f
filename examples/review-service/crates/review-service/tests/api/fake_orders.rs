//! A fake order-service, and the token endpoint of a fake user-service.

use std::collections::HashSet;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use actix_web::dev::ServerHandle;
use actix_web::http::KeepAlive;
use actix_web::web::{Data, Form, Query};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, rt, web};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

/// The token that the fake user-service issues and the fake order-service accepts.
const TOKEN: &str = "a-token-for-order-service";

/// Purchases, served over HTTP.
pub struct FakeOrders {
    url: String,
    server: ServerHandle,
    state: Data<State>,
}

#[derive(Default)]
struct State {
    purchases: Mutex<HashSet<Purchase>>,
    /// Each question is answered with this status, if there is one.
    failure: Mutex<Option<u16>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
struct Purchase {
    user_id: Uuid,
    product_id: Uuid,
}

#[derive(Deserialize)]
struct TokenRequest {
    audience: String,
}

impl FakeOrders {
    pub fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Data::from(Arc::<State>::default());
        let shared = state.clone();
        let server = HttpServer::new(move || {
            App::new()
                .app_data(shared.clone())
                .route("/oauth/token", web::post().to(issue_token))
                .route("/internal/purchases", web::get().to(purchase))
        });
        // Otherwise `close` would leave connections that are still served for a moment.
        let server = server.keep_alive(KeepAlive::Disabled);
        let server = server.workers(1).disable_signals().listen(listener);
        let server = server.unwrap().run();
        let handle = server.handle();
        rt::spawn(server);
        Self {
            url,
            server: handle,
            state,
        }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// The user has bought the product.
    pub fn add(&self, user_id: Uuid, product_id: Uuid) {
        let purchase = Purchase { user_id, product_id };
        self.state.purchases.lock().unwrap().insert(purchase);
    }

    /// Answers each question with this status.
    pub fn fail_with(&self, status: u16) {
        *self.state.failure.lock().unwrap() = Some(status);
    }

    /// Stops the server, so that connections are refused.
    pub async fn close(&self) {
        self.server.stop(false).await;
    }
}

async fn issue_token(request: Form<TokenRequest>) -> HttpResponse {
    assert_eq!(request.audience, "order-service");
    HttpResponse::Ok().json(json!({"access_token": TOKEN, "token_type": "Bearer", "expires_in": 900}))
}

async fn purchase(request: HttpRequest, purchase: Query<Purchase>, state: Data<State>) -> HttpResponse {
    let authorization = request.headers().get("authorization").unwrap();
    assert_eq!(authorization, &format!("Bearer {TOKEN}"));
    if let Some(status) = *state.failure.lock().unwrap() {
        return HttpResponse::build(status.try_into().unwrap()).json(json!({"code": "failure"}));
    }
    let purchased = state.purchases.lock().unwrap().contains(&purchase);
    HttpResponse::Ok().json(json!({"purchased": purchased}))
}
