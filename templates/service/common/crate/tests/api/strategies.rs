//! Forged identities, in each strategy (`AUTH_STRATEGY`).

use actix_web::http::Method;
use auth::testing::Issuer;
use test_kit::{TestService, strategies};

use example_service::NAME;

use crate::{ADMIN, run_with};

#[actix_web::test]
async fn a_forged_identity_is_refused_in_each_strategy() {
    for strategy in strategies::ALL {
        let issuer = Issuer::new(NAME);
        let run = run_with(&issuer, strategies::users(strategy, &issuer, NAME));
        let service = TestService::spawn(issuer, run).await;
        strategies::check(strategy, &service, NAME, (&Method::GET, ADMIN)).await;
    }
}
