//! Verifies the tokens of Keycloak, Auth0, Microsoft Entra ID, Amazon Cognito or Google: each has a ready-made profile. Here
//! oauth2-mock-server of Node.js plays them.
//!
//! ```sh
//! (cd crates/auth/examples && npm install && node issuers/oauth2_mock_server.mjs keycloak 4000) &
//! cargo run -p auth --example oauth2_mock_server -- keycloak http://127.0.0.1:4000/realms/shop 8090 &
//! TOKEN=$(curl -s -d 'grant_type=password&username=ada' http://127.0.0.1:4000/realms/shop/token | sed 's/.*"access_token": *"\([^"]*\)".*/\1/')
//! curl -i http://127.0.0.1:8090/me -H "authorization: Bearer $TOKEN"
//! ```

use actix_web::web::{Data, Json};
use actix_web::{App, HttpServer, get};
use auth::{IsAdmin, IsService, Keys, Profile, RemoteKeys, Verifier, VerifyToken};
use serde_json::{Value, json};

/// The profile of the product. Service tokens are admitted only where the profile names their audience.
fn profile(product: &str) -> Option<Profile> {
    Some(match product {
        // An audience mapper adds `shop-api` to the tokens.
        "keycloak" => Profile::keycloak("shop-api").service_audiences(["shop-api"]),
        // An action adds the roles to the tokens.
        "auth0" => Profile::auth0("https://api.shop.example")
            .service_audiences(["https://api.shop.example"])
            .roles_from(["https://shop.example/roles"]),
        "entra-id" => Profile::entra_id("5f0c1f7e-8a5c-4f6e-9d43-0c1f2a3b4c5d")
            .service_audiences(["5f0c1f7e-8a5c-4f6e-9d43-0c1f2a3b4c5d"]),
        // The audience is the client: one in which users sign in, and one that is a service.
        "cognito" => Profile::cognito("shop-web").service_audiences(["warehouse"]),
        "google" => Profile::google("shop-web.apps.googleusercontent.com"),
        _ => return None,
    })
}

/// Any user. A service's token never gets here.
#[get("/me")]
async fn me(VerifyToken(user): VerifyToken) -> Json<Value> {
    Json(json!({
        "id": user.id(),
        "subject": user.subject(),
        "name": user.name(),
        "email": user.email(),
        "roles": user.roles(),
        "scope": user.scope(),
    }))
}

/// Users with the role `admin`.
#[get("/admin")]
async fn admin(IsAdmin(admin): IsAdmin) -> String {
    format!("{} is an admin", admin.name())
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
    let usage = "usage: oauth2_mock_server (keycloak|auth0|entra-id|cognito|google) ISSUER [PORT]";
    let profile = arguments.next().as_deref().and_then(profile).ok_or(usage)?;
    let issuer = arguments.next().ok_or(usage)?;
    let port: u16 = arguments.next().as_deref().unwrap_or("8090").parse()?;

    let keys = Keys::remote(RemoteKeys::discover(&issuer)?);
    let verifier = Data::new(Verifier::builder(&issuer, keys, profile).build());

    let app = move || App::new().app_data(verifier.clone()).service((me, admin, stock));
    let server = HttpServer::new(app).workers(1).bind(("127.0.0.1", port))?;
    for address in server.addrs() {
        println!("http://{address}");
    }
    Ok(server.run().await?)
}
