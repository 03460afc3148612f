//! Forged identities, in each strategy (`AUTH_STRATEGY`).

use actix_web::http::Method;
use auth::testing::Issuer;
use test_kit::{TestService, strategies};

use review_service::NAME;

use crate::fake_orders::FakeOrders;
use crate::run_with;

#[actix_web::test]
async fn a_forged_identity_is_refused_in_each_strategy() {
    let orders = FakeOrders::open();
    for strategy in strategies::ALL {
        let issuer = Issuer::new(NAME);
        let run = run_with(&issuer, &orders, strategies::users(strategy, &issuer, NAME));
        let service = TestService::spawn(issuer, run).await;
        let route = (&Method::DELETE, "/reviews/019dd2a8-0000-7000-8000-000000000000");
        strategies::check(strategy, &service, NAME, route).await;
    }
}
