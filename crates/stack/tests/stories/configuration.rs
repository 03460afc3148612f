//! Configuration that replaces defaults and generated secrets.

use std::fs;
use std::net::{TcpListener, TcpStream};

use serde_json::json;
use test_kit::Client;

use crate::identity_headers::start_echo;
use crate::random_secret;
use crate::sandbox::{GATEWAY, Sandbox, services, services_with_database};
use crate::shop::lamp;
use crate::trader::order_of;

#[tokio::test]
async fn a_configured_admin_replaces_the_generated_one() {
    let sandbox = Sandbox::new().await;
    let password = random_secret();
    let admin = [
        ("ADMIN_EMAIL", "root@example.com"),
        ("ADMIN_PASSWORD", password.as_str()),
    ];
    let platform = sandbox.platform_with(&admin).await;
    let response = platform.login("root@example.com", &password).await;
    response.assert(200, json!({"user": {"roles": ["user", "admin"]}}));
    assert!(!sandbox.data("admin-password").exists());
    let output = platform.output.text();
    assert!(
        output.contains("ADMIN_EMAIL") && !output.contains(&password),
        "{output}"
    );
}

#[tokio::test]
async fn a_key_encryption_key_can_be_a_file() {
    let sandbox = Sandbox::new().await;
    fs::write(sandbox.file("key"), random_secret()).unwrap();
    let key = [("KEY_ENCRYPTION_KEY_FILE", "key")];
    let mut platform = sandbox.platform_with(&key).await;
    let pair = platform.register_ada().await;
    assert!(!sandbox.data("key-encryption-key").exists());
    platform.kill_stack().await;

    // The platform starts with the same key, and not with another one.
    let mut platform = sandbox.platform_with(&key).await;
    platform.refresh(&pair).await.assert_status(200);
    platform.kill_stack().await;
    fs::write(sandbox.file("key"), random_secret()).unwrap();
    let mut platform = sandbox.start(&key);
    assert_eq!(platform.end().await.code(), Some(1), "{}", platform.log.text());
}

#[tokio::test]
async fn a_configured_client_secret_replaces_the_generated_one() {
    let sandbox = Sandbox::new().await;
    let (orders, stock) = (random_secret(), random_secret());
    fs::write(sandbox.file("stock"), &stock).unwrap();
    let secrets = [
        ("ORDER_SERVICE_SECRET", orders.as_str()),
        ("INVENTORY_SERVICE_SECRET_FILE", "stock"),
    ];
    let platform = sandbox.platform_with(&secrets).await;
    let users = platform.anonymous_at("user-service");
    for (service, secret) in [("order-service", &orders), ("inventory-service", &stock)] {
        assert!(!sandbox.data(&format!("{service}-secret")).exists());
        let client = users.with_basic_auth(service, &secret.replace('+', "%2B"));
        let form = "grant_type=client_credentials&audience=product-service";
        client.post_form("/oauth/token", form).await.assert_status(200);
    }
    assert!(sandbox.data("product-service-secret").exists());
}

#[tokio::test]
async fn variables_of_other_programs_need_not_be_utf8() {
    let sandbox = Sandbox::new().await;
    let mut platform = sandbox.start_by_shell(r#"ODD="$(printf '\377')"; export ODD; exec "$0""#);
    platform.wait_until_ready().await;
    let mut platform = Sandbox::new()
        .await
        .start_by_shell(r#"PORT_BASE="$(printf '\377')"; export PORT_BASE; exec "$0""#);
    assert_eq!(platform.end().await.code(), Some(78), "{}", platform.log.text());
    assert!(
        platform.log.text().contains("PORT_BASE is not UTF-8"),
        "{}",
        platform.log.text()
    );
}

#[tokio::test]
async fn a_shared_secret_replaces_the_key_set() {
    let sandbox = Sandbox::new().await;
    let platform = sandbox.platform_with(&[("JWT_SECRET", &random_secret())]).await;
    let keys = platform
        .anonymous_at("user-service")
        .get("/.well-known/jwks.json")
        .await;
    assert_eq!(keys.assert_status(200).json(), json!({"keys": []}));
    let ada = platform.register_ada().await;
    platform
        .seller(&ada)
        .post("/products", lamp())
        .await
        .assert_status(201);
}

#[tokio::test]
async fn a_variable_with_the_prefix_of_a_service_configures_it() {
    let sandbox = Sandbox::new().await;
    let platform = sandbox
        .platform_with(&[("USER_SERVICE_ACCESS_TOKEN_TTL", "77s")])
        .await;
    assert_eq!(platform.register_ada().await["expires_in"], 77);
}

#[tokio::test]
async fn the_file_env_sets_variables_that_the_environment_does_not() {
    let sandbox = Sandbox::new().await;
    fs::write(
        sandbox.file(".env"),
        "ACCESS_TOKEN_TTL=77s\nREFRESH_TOKEN_TTL=1d\nPORT_BASE=1\n",
    )
    .unwrap();
    let platform = sandbox.platform_with(&[("REFRESH_TOKEN_TTL", "2d")]).await;
    let pair = platform.register_ada().await;
    assert_eq!(
        (&pair["expires_in"], &pair["refresh_expires_in"]),
        (&json!(77), &json!(2 * 86_400))
    );
}

#[tokio::test]
async fn ports_follow_the_port_base_and_platforms_refuse_tokens_of_others() {
    let (sandbox, other) = (Sandbox::new().await, Sandbox::new().await);
    // PORT is for a service that runs without `stack`, so it has no effect here.
    let platform = sandbox.platform_with(&[("PORT", "1")]).await;
    let other_platform = other.platform().await;
    let (ada, eve) = (platform.register_ada().await, other_platform.register_ada().await);
    platform
        .seller(&ada)
        .post("/products", lamp())
        .await
        .assert_status(201);
    platform
        .seller(&eve)
        .post("/products", lamp())
        .await
        .assert_problem(401, "invalid_token");
    let metadata = platform
        .anonymous_at("user-service")
        .get("/.well-known/oauth-authorization-server")
        .await;
    metadata.assert(
        200,
        json!({"issuer": format!("http://localhost:{}", sandbox.port_base)}),
    );
    assert_eq!(platform.children().len(), services().count());
}

#[tokio::test]
async fn a_service_can_have_its_own_database_beside_a_common_server() {
    let sandbox = Sandbox::new().await;
    // No such server exists, and none is needed.
    let databases: Vec<_> = services_with_database()
        .map(|service| {
            let variable = format!("{}_DATABASE_URL", service.to_uppercase().replace('-', "_"));
            (variable, format!("sqlite:{service}.own"))
        })
        .collect();
    let mut variables = vec![("DATABASE_URL", "postgres://ada@127.0.0.1:1")];
    variables.extend(
        databases
            .iter()
            .map(|(variable, url)| (variable.as_str(), url.as_str())),
    );
    let platform = sandbox.platform_with(&variables).await;
    let ada = platform.register_ada().await;
    platform
        .seller(&ada)
        .post("/products", lamp())
        .await
        .assert_status(201);
    assert!(services_with_database().all(|service| sandbox.file(&format!("{service}.own")).exists()));
}

#[tokio::test]
async fn a_registered_service_that_stack_does_not_contain_is_started_by_the_operator() {
    let sandbox = Sandbox::new().await;
    let registry = sandbox.file("services.toml");
    let row = r#"
        [[service]]
        name = "echo-service"
        port_offset = 999
        calls = ["user-service"]
        [[service.route]]
        prefix = "/api/echo"
        token = "optional"
    "#;
    std::fs::write(
        &registry,
        [include_str!("../../../../services.toml"), row].concat(),
    )
    .unwrap();
    let variables = [
        ("SERVICES_FILE", registry.to_str().unwrap()),
        ("GATEWAY_ECHO_SERVICE_URL", &start_echo()),
    ];
    let platform = sandbox.platform_with(&variables).await;

    assert_eq!(platform.children().len(), services().count());
    let received = platform.anonymous().get("/api/echo").await;
    received.assert(200, json!({"x-forwarded-for": "127.0.0.1"}));
    // It has a client secret, which user-service knows.
    let client = platform.client_of_user_service(&sandbox, "echo-service");
    let form = "grant_type=client_credentials&audience=user-service";
    client.post_form("/oauth/token", form).await.assert_status(200);

    let line = platform.output.text();
    let line = line.lines().find(|line| line.starts_with("echo-service"));
    assert!(line.unwrap().ends_with(" (not started)"), "{line:?}");
    assert!(platform.log.text().contains("start it separately"));
}

#[tokio::test]
async fn services_listen_on_the_configured_address_and_find_each_other_there() {
    let Ok(_) = TcpListener::bind(("::1", 0)) else {
        println!("NOT TESTED: this machine has no IPv6");
        return;
    };
    let sandbox = Sandbox::new().await;
    let platform = sandbox.platform_with(&[("BIND", "::1")]).await;
    for service in services() {
        let port = platform.port(service);
        assert!(
            TcpStream::connect(("127.0.0.1", port)).is_err(),
            "{service} listens on IPv4"
        );
        let output = platform.output.text();
        let url = format!("http://[::1]:{port}");
        assert!(output.split_whitespace().any(|word| word == url), "{output}");
    }

    let client = |service| Client::new(format!("http://[::1]:{}", platform.port(service)));
    let credentials = json!({"email": "admin@example.com", "password": sandbox.secret("admin-password")});
    let pair = client(GATEWAY).post("/auth/login", credentials).await.json();
    let with_token = |service| client(service).with_token(pair["access_token"].as_str().unwrap());
    let created = with_token("product-service").post("/products", lamp()).await;
    let product = created.assert_status(201).json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    with_token("inventory-service")
        .put(&format!("/inventory/{product}"), json!({"on_hand": 1}))
        .await
        .assert_status(200);
    with_token("order-service")
        .post("/orders", order_of(&product, 1))
        .await
        .assert(201, json!({"status": "confirmed"}));
}
