//! The responses to each kind of caller.

use serde_json::json;

use example_service::NAME;

use crate::{ADMIN, PUBLIC, SERVICE, USER, service};

#[actix_web::test]
async fn everyone_reads_the_name_and_the_version() {
    let answer = service().await.anonymous().get(PUBLIC).await;
    let version = env!("CARGO_PKG_VERSION");
    answer.assert(200, json!({"service": NAME, "version": version}));
}

#[actix_web::test]
async fn a_user_and_an_admin_read_their_ids_and_roles() {
    let service = service().await;
    for (roles, path) in [(["user", "support"], USER), (["user", "admin"], ADMIN)] {
        let token = service.user_token("ada", &roles);
        let answer = service.client_with(&token).get(path).await;
        answer.assert(200, json!({"user_id": token.claims().sub, "roles": roles}));
    }
}

#[actix_web::test]
async fn a_service_reads_its_name() {
    let service = service().await;
    let order_service = service.service("order-service");
    let answer = order_service.get(SERVICE).await;
    answer.assert(200, json!({"service": "order-service"}));
}
