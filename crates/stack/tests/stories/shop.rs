//! First steps on a new platform.

use std::time::Duration;

use serde_json::{Value, json};

use crate::sandbox::{GATEWAY, Sandbox, services};

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

    let admin = platform.login_admin(&sandbox).await;
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
    for service in services() {
        assert!(platform.is_ready(service).await, "{service} is not ready");
        let line = output.lines().find(|line| line.starts_with(service)).unwrap();
        let words: Vec<_> = line.split_whitespace().collect();
        let inner: &[_] = if service == GATEWAY { &[] } else { &["(inner)"] };
        assert_eq!(
            words,
            [&[service, platform.url(service).as_str()], inner].concat()
        );
    }
    let docs = format!("{}/docs", platform.url(GATEWAY));
    let mut lines = output.lines().filter(|line| !line.is_empty());
    assert_eq!(
        lines.next().unwrap().split_whitespace().collect::<Vec<_>>(),
        ["documentation", docs.as_str()]
    );
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
    let path = url.strip_prefix(&platform.url(GATEWAY)).unwrap();
    let body = serde_json::from_str(body).unwrap();
    let response = platform.anonymous().post(path, body).await;
    response.assert(
        200,
        json!({"user": {"email": "admin@example.com", "roles": ["user", "admin"]}}),
    );
}
