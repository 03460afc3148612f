//! What the platform is told instead of making it up.

use std::fs;

use serde_json::json;

use crate::made_up;
use crate::place::{Place, SERVICES};
use crate::shop::lamp;

#[tokio::test]
async fn the_admin_who_is_named_is_the_admin_and_no_other_is_made_up() {
    let place = Place::new().await;
    let password = made_up();
    let admin = [
        ("ADMIN_EMAIL", "root@example.com"),
        ("ADMIN_PASSWORD", password.as_str()),
    ];
    let platform = place.platform_with(&admin).await;
    let answer = platform.login("root@example.com", &password).await;
    answer.assert(200, json!({"user": {"roles": ["user", "admin"]}}));
    assert!(!place.data("admin-password").exists());
    let output = platform.output.text();
    assert!(
        output.contains("ADMIN_EMAIL") && !output.contains(&password),
        "{output}"
    );
}

#[tokio::test]
async fn a_key_that_is_given_as_a_file_is_the_one_that_is_used() {
    let place = Place::new().await;
    fs::write(place.file("key"), made_up()).unwrap();
    let key = [("KEY_ENCRYPTION_KEY_FILE", "key")];
    let mut platform = place.platform_with(&key).await;
    let pair = platform.ada().await;
    assert!(!place.data("key-encryption-key").exists());
    platform.kill_the_stack().await;

    // With the same key it goes on, and with another it does not start.
    let mut platform = place.platform_with(&key).await;
    platform.refresh(&pair).await.assert_status(200);
    platform.kill_the_stack().await;
    fs::write(place.file("key"), made_up()).unwrap();
    let mut platform = place.start(&key);
    assert_eq!(platform.end().await.code(), Some(1), "{}", platform.log.text());
}

#[tokio::test]
async fn a_services_secret_that_is_given_is_the_one_that_is_used() {
    let place = Place::new().await;
    let (orders, stock) = (made_up(), made_up());
    fs::write(place.file("stock"), &stock).unwrap();
    let given = [
        ("ORDER_SERVICE_SECRET", orders.as_str()),
        ("INVENTORY_SERVICE_SECRET_FILE", "stock"),
    ];
    let platform = place.platform_with(&given).await;
    let users = platform.nobody_at("user-service");
    for (service, secret) in [("order-service", &orders), ("inventory-service", &stock)] {
        assert!(!place.data(&format!("{service}-secret")).exists());
        let client = users.with_basic_auth(service, &secret.replace('+', "%2B"));
        let form = "grant_type=client_credentials&audience=product-service";
        client.post_form("/oauth/token", form).await.assert_status(200);
    }
    assert!(place.data("product-service-secret").exists());
}

#[tokio::test]
async fn a_variable_of_somebody_elses_need_not_be_utf8() {
    let place = Place::new().await;
    let mut platform = place.start_by_shell(r#"ODD="$(printf '\377')"; export ODD; exec "$0""#);
    platform.wait_until_ready().await;
    let mut platform = Place::new()
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
async fn one_shared_secret_stands_in_for_published_keys() {
    let place = Place::new().await;
    let platform = place.platform_with(&[("JWT_SECRET", &made_up())]).await;
    let keys = platform
        .nobody_at("user-service")
        .get("/.well-known/jwks.json")
        .await;
    assert_eq!(keys.assert_status(200).json(), json!({"keys": []}));
    let ada = platform.ada().await;
    platform
        .seller(&ada)
        .post("/products", lamp())
        .await
        .assert_status(201);
}

#[tokio::test]
async fn each_service_is_configured_by_the_variables_that_bear_its_name() {
    let place = Place::new().await;
    let platform = place
        .platform_with(&[("USER_SERVICE_ACCESS_TOKEN_TTL", "77s")])
        .await;
    assert_eq!(platform.ada().await["expires_in"], 77);
}

#[tokio::test]
async fn a_file_in_the_working_directory_says_what_the_environment_does_not() {
    let place = Place::new().await;
    fs::write(
        place.file(".env"),
        "ACCESS_TOKEN_TTL=77s\nREFRESH_TOKEN_TTL=1d\nPORT_BASE=1\n",
    )
    .unwrap();
    let platform = place.platform_with(&[("REFRESH_TOKEN_TTL", "2d")]).await;
    let pair = platform.ada().await;
    assert_eq!(
        (&pair["expires_in"], &pair["refresh_expires_in"]),
        (&json!(77), &json!(2 * 86_400))
    );
}

#[tokio::test]
async fn every_port_follows_the_base_and_every_token_is_the_platforms_own() {
    let (place, other) = (Place::new().await, Place::new().await);
    // That one is for a service which is run by itself.
    let platform = place.platform_with(&[("PORT", "1")]).await;
    let stranger = other.platform().await;
    let (ada, eve) = (platform.ada().await, stranger.ada().await);
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
        .nobody_at("user-service")
        .get("/.well-known/oauth-authorization-server")
        .await;
    metadata.assert(
        200,
        json!({"issuer": format!("http://localhost:{}", place.port_base)}),
    );
    assert_eq!(platform.children().len(), SERVICES.len());
}

#[tokio::test]
async fn a_service_keeps_a_database_of_its_own_although_the_others_share_a_server() {
    let place = Place::new().await;
    // There is no such server, and none is needed.
    let own = SERVICES.map(|service| {
        let variable = format!("{}_DATABASE_URL", service.to_uppercase().replace('-', "_"));
        (variable, format!("sqlite:{service}.own"))
    });
    let mut variables = vec![("DATABASE_URL", "postgres://nobody@127.0.0.1:1")];
    variables.extend(
        own.iter()
            .map(|(variable, url)| (variable.as_str(), url.as_str())),
    );
    let platform = place.platform_with(&variables).await;
    let ada = platform.ada().await;
    platform
        .seller(&ada)
        .post("/products", lamp())
        .await
        .assert_status(201);
    assert!(
        SERVICES
            .iter()
            .all(|service| place.file(&format!("{service}.own")).exists())
    );
}
