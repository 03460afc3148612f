//! The three strategies: which credentials identify a user, and which are ignored or refused. The handlers are the same in all of
//! them.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed expectation fails the test"
)]

mod endpoint;
mod forged;
mod gateway;
mod introspection;

use actix_web::App;
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::web::Data;
use auth::testing::Issuer;
use auth::{CurrentUser, IsAdmin, IsService, Keys, Routes, Verifier, VerifyToken};
use serde_json::Value;

const SERVICE: &str = "thing-service";

async fn optional(CurrentUser(user): CurrentUser) -> String {
    user.map_or_else(|| "anonymous".to_owned(), |user| user.name().to_owned())
}
async fn user(VerifyToken(user): VerifyToken) -> String {
    user.name().to_owned()
}
async fn admin(IsAdmin(admin): IsAdmin) -> String {
    admin.name().to_owned()
}
async fn service(IsService(caller): IsService) -> String {
    caller.name().to_owned()
}

/// Sends a request to an application with this verifier. Returns the status, and the text of a success or the code of an error.
async fn get(verifier: &Verifier, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let routes = || {
        Routes::new()
            .get("/optional", optional)
            .get("/user", user)
            .get("/admin", admin)
            .get("/service", service)
    };
    let app = App::new()
        .app_data(Data::new(verifier.clone()))
        .configure(|config| routes().configure(config));
    let request = headers
        .iter()
        .fold(TestRequest::get().uri(path), |request, header| {
            request.append_header(*header)
        });
    let response = call_service(&init_service(app).await, request.to_request()).await;

    let (status, body) = (response.status(), read_body(response).await);
    if status.is_success() {
        (status.as_u16(), String::from_utf8(body.to_vec()).unwrap())
    } else {
        let problem: Value = serde_json::from_slice(&body).unwrap();
        (status.as_u16(), problem["code"].as_str().unwrap().to_owned())
    }
}

async fn get_as(verifier: &Verifier, path: &str, token: &str) -> (u16, String) {
    get(verifier, path, &[("authorization", &format!("Bearer {token}"))]).await
}

/// The outcome of a refused request.
fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

fn admitted(name: &str) -> (u16, String) {
    (200, name.to_owned())
}
