//! The first admin.

use serde_json::json;

use crate::{
    ADMIN, PASSWORD, logged_in, login, refresh, register, restart, service, service_with, with_token,
};

#[actix_web::test]
async fn the_first_start_creates_an_admin() {
    let service = service().await;
    login(&service, ADMIN.0, ADMIN.1).await.assert(
        200,
        json!({
            "user": {"email": ADMIN.0, "roles": ["user", "admin"]},
            "scope": "products:write orders:write orders:read-all users:read",
        }),
    );
}

#[actix_web::test]
async fn no_second_admin_is_created_at_start() {
    let service = service().await;
    register(&service, "ada@example.com").await;
    let vars = [
        ("ADMIN_EMAIL", "ada@example.com"),
        ("ADMIN_PASSWORD", "another password"),
    ];
    let service = restart(service, &vars).await;
    login(&service, "ada@example.com", "another password")
        .await
        .assert_problem(401, "invalid_credentials");
    login(&service, "ada@example.com", PASSWORD)
        .await
        .assert(200, json!({"user": {"roles": ["user"]}}));
    login(&service, ADMIN.0, ADMIN.1).await.assert_status(200);
}

#[actix_web::test]
async fn a_user_with_the_admins_address_loses_the_account_to_the_admin() {
    let service = service_with(&[("ADMIN_EMAIL", ""), ("ADMIN_PASSWORD", "")]).await;
    register(&service, ADMIN.0).await;
    let squatter = logged_in(&service, ADMIN.0).await;

    let service = restart(service, &[]).await;
    login(&service, ADMIN.0, PASSWORD)
        .await
        .assert_problem(401, "invalid_credentials");
    refresh(&service, &squatter["refresh_token"])
        .await
        .assert_problem(401, "invalid_refresh_token");
    with_token(&service, &squatter)
        .get("/users/me")
        .await
        .assert_problem(401, "token_revoked");
    login(&service, ADMIN.0, ADMIN.1)
        .await
        .assert(200, json!({"user": {"roles": ["user", "admin"]}}));
}
