//! Verifies tokens as many tutorials make them: `jwt.sign({ userId, email, role }, JWT_SECRET, { expiresIn: '1h' })`, with
//! jsonwebtoken of Node.js.
//!
//! ```sh
//! export JWT_SECRET=$(openssl rand -hex 32)   # in a new shell: it would change the platform, too
//! (cd crates/auth/examples && npm install && node issuers/jsonwebtoken.mjs 4000) &
//! cargo run -p auth --example jsonwebtoken -- 8090 &
//! TOKEN=$(curl -s http://127.0.0.1:4000/login -H 'content-type: application/json' -d '{"email": "ada@example.com", "password": "any"}' | sed 's/.*"token": *"\([^"]*\)".*/\1/')
//! curl -i http://127.0.0.1:8090/me -H "authorization: Bearer $TOKEN"
//! ```
//!
//! Everyone who has the secret can make tokens, also this program. Prefer public keys, as in the other examples.

use actix_web::web::{self, Data, Json};
use actix_web::{App, HttpServer};
use auth::{HasRole, KeySet, Keys, Profile, SharedSecret, Verifier, VerifyToken, is_admin};
use serde_json::{Value, json};

auth::roles! {
    /// Sells something.
    Seller = "seller";
}

/// Any user. The id in the token is `subject`, here a number of the database. `id` is a UUID that is made from it.
async fn me(VerifyToken(user): VerifyToken) -> Json<Value> {
    Json(json!({ "id": user.id(), "subject": user.subject(), "email": user.email(), "roles": user.roles() }))
}

/// Users with the role `seller`.
async fn offers(seller: HasRole<Seller>) -> String {
    format!("the offers of {}", seller.email())
}

/// Middleware decides who gets here.
async fn admin() -> &'static str {
    "only for admins"
}

#[actix_web::main]
#[expect(
    clippy::disallowed_methods,
    reason = "a program without configuration, apart from its secret"
)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The log has the reason of each refusal. The response does not.
    tracing_subscriber::fmt()
        .with_env_filter("auth=debug")
        .with_writer(std::io::stderr)
        .init();

    let port: u16 = std::env::args().nth(1).as_deref().unwrap_or("8090").parse()?;
    // A short secret is refused: it can be found by trying.
    let secret = SharedSecret::new(std::env::var("JWT_SECRET")?.into());
    let secret = secret.map_err(|error| format!("JWT_SECRET {error}"))?;

    // The tokens name no issuer. The ids of users depend on this name, so keep it.
    let verifier =
        Verifier::builder("shop", Keys::new(KeySet::from(secret)), Profile::jsonwebtoken()).build();
    let verifier = Data::new(verifier);

    let app = move || {
        App::new()
            .app_data(verifier.clone())
            .route("/me", web::get().to(me))
            .route("/offers", web::get().to(offers))
            .service(
                web::scope("/admin")
                    .wrap(is_admin())
                    .route("", web::get().to(admin)),
            )
    };
    let server = HttpServer::new(app).workers(1).bind(("127.0.0.1", port))?;
    for address in server.addrs() {
        println!("http://{address}");
    }
    Ok(server.run().await?)
}
