//! Two issuers side by side: customers sign in at an authorization server that follows RFC 9068, employees at Keycloak. Each token is
//! verified with the keys and the profile of its issuer (`iss`). The application reads the claims that it needs into types.
//!
//! ```sh
//! (cd crates/auth/examples && npm install)
//! (cd crates/auth/examples && node issuers/oidc_provider.mjs 4000) &
//! (cd crates/auth/examples && node issuers/oauth2_mock_server.mjs keycloak 4001) &
//! cargo run -p auth --example two_issuers -- http://127.0.0.1:4000 http://127.0.0.1:4001/realms/shop 8090 &
//! TOKEN=$(curl -s -d 'grant_type=password&username=ada' http://127.0.0.1:4001/realms/shop/token | sed 's/.*"access_token": *"\([^"]*\)".*/\1/')
//! curl -i http://127.0.0.1:8090/me -H "authorization: Bearer $TOKEN"
//! ```

use actix_web::web::{Data, Json};
use actix_web::{App, HttpServer};
use auth::{Anyone, IsAdmin, Keys, Profile, RemoteKeys, Routes, User, Verifier, VerifyToken};
use serde::Deserialize;
use serde_json::{Value, json};

/// The claims of a customer's token. A token without them is refused.
#[derive(Deserialize)]
struct Customer {
    tenant: String,
}

/// The claims of an employee's token.
#[derive(Deserialize)]
struct Employee {
    department: Option<String>,
}

/// The URLs of the application. A handler's first argument says who may call it, and one without such an argument does not compile.
fn routes() -> Routes {
    Routes::new().get("/", index).get("/me", me).get("/admin", admin)
}

async fn index(_: Anyone) -> &'static str {
    "Hello!"
}

async fn me(VerifyToken(user): VerifyToken) -> Json<Value> {
    Json(
        json!({ "id": user.id(), "subject": user.subject(), "issuer": user.issuer(), "is": describe(&user) }),
    )
}

async fn admin(IsAdmin(admin): IsAdmin) -> String {
    format!("{} is an admin", admin.name())
}

/// The claims have the type that the profile of the user's issuer names.
fn describe(user: &User) -> String {
    if let Some(customer) = user.claims::<Customer>() {
        format!("a customer of {}", customer.tenant)
    } else if let Some(employee) = user.claims::<Employee>() {
        format!(
            "an employee in {}",
            employee.department.as_deref().unwrap_or("no department")
        )
    } else {
        "unknown".to_owned()
    }
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The log has the reason of each refusal. The response does not.
    tracing_subscriber::fmt()
        .with_env_filter("auth=debug")
        .with_writer(std::io::stderr)
        .init();

    let mut arguments = std::env::args().skip(1);
    let usage = "usage: two_issuers ISSUER_OF_CUSTOMERS ISSUER_OF_EMPLOYEES [PORT]";
    let (customers, employees) = arguments.next().zip(arguments.next()).ok_or(usage)?;
    let port: u16 = arguments.next().as_deref().unwrap_or("8090").parse()?;

    // The roles in the tokens of customers are not those of this application: no customer is ever an admin.
    let customer = Profile::rfc9068("https://api.shop.example")
        .without_roles()
        .claims::<Customer>();
    let employee = Profile::keycloak("shop-api").claims::<Employee>();
    let customer_keys = Keys::remote(RemoteKeys::discover(&customers)?);
    let employee_keys = Keys::remote(RemoteKeys::discover(&employees)?);
    let verifier = Verifier::builder(customers, customer_keys, customer)
        .issuer(employees, employee_keys, employee)
        .build();
    let verifier = Data::new(verifier);

    let app = move || {
        App::new()
            .app_data(verifier.clone())
            .configure(|config| routes().configure(config))
    };
    let server = HttpServer::new(app).workers(1).bind(("127.0.0.1", port))?;
    for address in server.addrs() {
        println!("http://{address}");
    }
    Ok(server.run().await?)
}
