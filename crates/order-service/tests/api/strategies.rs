//! Forged identities, in each strategy.

use actix_web::http::Method;
use order_service::NAME;
use test_kit::strategies;

use crate::shop::shop;

#[actix_web::test]
async fn a_forged_identity_is_refused_in_each_strategy() {
    for strategy in strategies::ALL {
        let mut shop = shop().await;
        shop.stop().await;
        shop.config.auth.users = strategies::users(strategy, shop.issuer(), NAME);
        shop.start();
        strategies::check(strategy, &shop, NAME, (&Method::GET, "/orders")).await;
    }
}
