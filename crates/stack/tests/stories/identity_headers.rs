//! Headers by which a client could pretend to be another caller.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};

use serde_json::{Map, Value, json};
use test_kit::Client;

use crate::sandbox::Sandbox;
use crate::shop::lamp;

/// The same client with forged headers. They claim that the caller is the user with this id, an admin, and a service.
fn forging(client: &Client, user_id: &str) -> Client {
    let forged = [
        ("x-user-id", user_id),
        ("X-User-Role", "admin"),
        ("x-user-roles", "user,admin"),
        ("x_user_id", user_id),
        ("x-service-name", "order-service"),
        ("x-internal-token", "x"),
        ("x-forwarded-for", "203.0.113.9"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "https"),
        ("forwarded", "for=203.0.113.9"),
        ("x-http-method-override", "DELETE"),
        ("connection", "x-user-id, authorization"),
    ];
    let client = client.clone();
    forged
        .iter()
        .fold(client, |client, (name, value)| client.with(name, value))
}

/// Starts a service that answers each request with the headers that it received, and returns its origin.
pub fn start_echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            std::thread::spawn(|| echo(connection));
        }
    });
    origin
}

/// Answers one request.
fn echo(mut connection: TcpStream) {
    let head = BufReader::new(connection.try_clone().unwrap()).lines();
    let lines = head.map_while(Result::ok).take_while(|line| !line.is_empty());
    let mut headers = Map::new();
    for line in lines.skip(1) {
        let (name, value) = line.split_once(": ").unwrap();
        let repeated = headers.insert(name.to_ascii_lowercase(), json!(value));
        assert_eq!(repeated, None, "{name} is repeated");
    }
    let body = Value::Object(headers).to_string();
    let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length:";
    drop(write!(connection, "{head} {}\r\n\r\n{body}", body.len()));
}

#[tokio::test]
async fn forged_identity_headers_do_not_reach_a_service() {
    let sandbox = Sandbox::new().await;
    let echo = start_echo();
    // Only the gateway takes this for product-service.
    let variables = [("GATEWAY_PRODUCT_SERVICE_URL", echo.as_str())];
    let platform = sandbox.platform_with(&variables).await;
    let pair = platform.register_ada().await;
    let ada_id = pair["user"]["id"].as_str().unwrap();
    let eve = forging(platform.anonymous(), &uuid::Uuid::nil().to_string());
    let ada = eve.with_token(pair["access_token"].as_str().unwrap());

    let from_ada = json!({"x-user-id": ada_id, "x-user-role": "user", "x-user-roles": "user"});
    let from_eve = json!({"x-user-id": null, "x-user-role": null, "x-user-roles": null});
    for (client, identity) in [(ada, from_ada), (eve, from_eve)] {
        let received = client.get("/api/products").await.assert_status(200).json();
        let mut expected = identity;
        expected["x-forwarded-for"] = json!("127.0.0.1");
        expected["x-forwarded-proto"] = json!("http");
        expected["x-forwarded-host"] = json!(format!("127.0.0.1:{}", sandbox.port_base));
        for name in [
            "x_user_id",
            "x-service-name",
            "x-internal-token",
            "forwarded",
            "x-http-method-override",
        ] {
            expected[name] = Value::Null;
        }
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(received[name], *value, "{name}: {received}");
        }
    }
}

#[tokio::test]
async fn forged_identity_headers_change_nothing() {
    let sandbox = Sandbox::new().await;
    let platform = sandbox.platform().await;
    let pair = platform.register_ada().await;
    let admin = platform.login_admin(&sandbox).await;
    let eve = forging(platform.anonymous(), admin["user"]["id"].as_str().unwrap());
    let ada = eve.with_token(pair["access_token"].as_str().unwrap());

    eve.get("/api/users/me").await.assert_status(401);
    eve.get("/api/orders").await.assert_status(401);
    eve.post("/api/products", lamp()).await.assert_status(401);
    ada.get("/api/users/me")
        .await
        .assert(200, json!({"email": "ada@example.com", "roles": ["user"]}));
    ada.get("/api/admin/users").await.assert_status(403);
    let product = ada.post("/api/products", lamp()).await;
    let product = product
        .assert(201, json!({"owner_id": pair["user"]["id"]}))
        .header("location")
        .to_owned();
    assert!(product.starts_with("/api/products/"), "{product}");
    ada.delete(&product).await.assert_status(403);
    eve.delete(&product).await.assert_status(401);
}
