//! First steps on a new platform.

use std::time::Duration;

use serde_json::{Value, json};

use crate::sandbox::{SERVICES, Sandbox};

pub fn lamp() -> Value {
    json!({"name": "Lamp", "description": "Gives light.", "price_cents": 1_999, "currency": "EUR"})
}

#[tokio::test]
async fn users_create_products_and_only_an_admin_deletes_them() {
    let sandbox = Sandbox::new().await;
    let platform = sandbox.platform().await;
    let ada = platform.seller(&platform.register_ada().await);
    let created = ada.post("/products", lamp()).await;
    created.assert(201, lamp());
    let product = created.header("location");
    ada.get(product).await.assert(200, created.json());
    ada.delete(product).await.assert_problem(403, "forbidden");
    platform
        .anonymous_at("product-service")
        .delete(product)
        .await
        .assert_problem(401, "no_token");

    let password = sandbox.secret("admin-password");
    let admin = platform
        .login("admin@example.com", &password)
        .await
        .assert_status(200)
        .json();
    platform.seller(&admin).delete(product).await.assert_status(204);
    ada.get(product).await.assert_problem(404, "product_not_found");
}

#[tokio::test]
async fn the_platform_is_ready_soon_after_its_first_start_and_prints_its_urls() {
    let sandbox = Sandbox::new().await;
    let mut platform = sandbox.start(&[]);
    let took = platform.wait_until_ready().await;
    println!("ready after {took:?}, with new databases and keys");
    assert!(took < Duration::from_secs(10), "{took:?}");
    let output = platform.output.text();
    for service in SERVICES {
        assert!(platform.is_ready(service).await, "{service} is not ready");
        let url = format!("http://127.0.0.1:{}", platform.port(service));
        let line = output.lines().find(|line| line.starts_with(service)).unwrap();
        assert!(
            line.contains(&format!("{url} ")) && line.ends_with(&format!("{url}/docs")),
            "{line}"
        );
    }
}

#[tokio::test]
async fn the_printed_command_logs_the_admin_in() {
    let sandbox = Sandbox::new().await;
    let platform = sandbox.platform().await;
    let output = platform.output.text();
    let printed = output.split_once("  curl ").unwrap().1;
    // Replace curl by a function that prints its arguments.
    let script = format!("curl() {{ printf '%s\\n' \"$@\"; }}; curl {printed}");
    let shell = std::process::Command::new("sh")
        .args(["-c", &script])
        .current_dir(sandbox.file(""))
        .output()
        .unwrap();
    let arguments = String::from_utf8(shell.stdout).unwrap();
    let [url, "-H", "content-type: application/json", "-d", body] = arguments.lines().collect::<Vec<_>>()[..]
    else {
        panic!("{arguments}");
    };
    let path = url
        .strip_prefix(&format!("http://127.0.0.1:{}", platform.port("user-service")))
        .unwrap();
    let body = serde_json::from_str(body).unwrap();
    let response = platform.anonymous_at("user-service").post(path, body).await;
    response.assert(
        200,
        json!({"user": {"email": "admin@example.com", "roles": ["user", "admin"]}}),
    );
}

#[tokio::test]
async fn each_service_serves_its_documentation() {
    let sandbox = Sandbox::new().await;
    let platform = sandbox.platform().await;
    for (service, path) in
        SERVICES
            .into_iter()
            .zip(["/auth/login", "/products/{id}", "/orders/{id}", "/inventory/{id}"])
    {
        let service = platform.anonymous_at(service);
        let page = service.get("/docs/").await;
        assert!(
            page.assert_status(200).body.contains("<title>Swagger UI</title>"),
            "{}",
            page.body
        );
        let document = service.get("/openapi.json").await.assert_status(200).json();
        assert!(document["paths"][path].is_object(), "{document}");
    }
}
