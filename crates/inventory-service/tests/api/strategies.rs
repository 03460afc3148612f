//! Forged identities, in each strategy.

use actix_web::http::Method;
use auth::testing::Issuer;
use inventory_service::NAME;
use test_kit::{TestService, strategies};

use crate::catalogue::Catalogue;
use crate::{new_id, run_with, url};

#[actix_web::test]
async fn a_forged_identity_is_refused_in_each_strategy() {
    let catalogue = Catalogue::open();
    for strategy in strategies::ALL {
        let issuer = Issuer::new(NAME);
        let run = run_with(&issuer, &catalogue, strategies::users(strategy, &issuer, NAME));
        let service = TestService::spawn(issuer, run).await;
        strategies::check(strategy, &service, NAME, (&Method::PUT, &url(new_id()))).await;
    }
}
