//! Verifies the access tokens of an authorization server that follows RFC 9068, such as oidc-provider of Node.js:
//!
//! ```sh
//! (cd crates/auth/examples && npm install && node issuers/oidc_provider.mjs 4000) &
//! cargo run -p auth --example oidc_provider -- http://127.0.0.1:4000 8090 &
//! TOKEN=$(curl -s -u warehouse:warehouse-secret -d grant_type=client_credentials -d resource=https://api.shop.example http://127.0.0.1:4000/token | sed 's/.*"access_token": *"\([^"]*\)".*/\1/')
//! curl -i http://127.0.0.1:8090/stock -H "authorization: Bearer $TOKEN"
//! ```
//!
//! The server calls this API `https://api.shop.example`. A client asks for it by this name (`resource`, RFC 8707).

use actix_web::web::{Data, Json};
use actix_web::{App, HttpServer, get};
use auth::{HasScope, IsAdmin, IsService, Keys, Profile, RemoteKeys, Verifier, VerifyToken};
use serde_json::{Value, json};

auth::scopes! {
    /// May read the reports.
    ReportsRead = "reports:read";
}

/// Any user. A service's token never gets here.
#[get("/me")]
async fn me(VerifyToken(user): VerifyToken) -> Json<Value> {
    Json(json!({ "id": user.id(), "subject": user.subject(), "name": user.name(), "roles": user.roles() }))
}

/// Users with the role `admin`.
#[get("/admin")]
async fn admin(IsAdmin(admin): IsAdmin) -> String {
    format!("{} is an admin", admin.name())
}

/// Users whose token has the scope.
#[get("/reports")]
async fn reports(user: HasScope<ReportsRead>) -> String {
    format!("the reports, for {}", user.name())
}

/// Services, with a token that they got for themselves (client credentials grant).
#[get("/stock")]
async fn stock(IsService(service): IsService) -> String {
    format!("the stock, for {}", service.name())
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The log has the reason of each refusal. The response does not.
    tracing_subscriber::fmt()
        .with_env_filter("auth=debug")
        .with_writer(std::io::stderr)
        .init();

    let mut arguments = std::env::args().skip(1);
    let issuer = arguments.next().ok_or("usage: oidc_provider ISSUER [PORT]")?;
    let port: u16 = arguments.next().as_deref().unwrap_or("8090").parse()?;

    let keys = Keys::remote(RemoteKeys::discover(&issuer)?);
    let profile =
        Profile::rfc9068("https://api.shop.example").service_audiences(["https://api.shop.example"]);
    let verifier = Data::new(Verifier::builder(&issuer, keys, profile).build());

    let app = move || {
        App::new()
            .app_data(verifier.clone())
            .service((me, admin, reports, stock))
    };
    let server = HttpServer::new(app).workers(1).bind(("127.0.0.1", port))?;
    for address in server.addrs() {
        println!("http://{address}");
    }
    Ok(server.run().await?)
}
