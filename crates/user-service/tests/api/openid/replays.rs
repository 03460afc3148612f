//! An answer of a provider works once, which the database decides.

use futures_util::future::join_all;

use super::attacks::{assert_no_login, begun};
use super::{Faults, trusting};

#[actix_web::test]
async fn an_answer_works_once() {
    let (service, provider) = trusting().await;
    provider.set_faults(Faults {
        careless: true,
        ..Faults::default()
    });
    let (mut browser, callback) = begun(&service, &provider).await;
    let replaying = browser.client();
    browser.get(&callback).await.assert_status(200);
    assert!(browser.cookies().is_empty());
    assert_no_login(&browser.get(&callback).await);
    // With the cookie too, and although the provider accepts the code again.
    assert_no_login(&replaying.get(&callback).await);
}

#[actix_web::test]
async fn of_simultaneous_callbacks_one_succeeds() {
    let (service, provider) = trusting().await;
    provider.set_faults(Faults {
        careless: true,
        ..Faults::default()
    });
    let (browser, callback) = begun(&service, &provider).await;
    let client = browser.client();
    let responses = join_all((0..8).map(|_| client.get(&callback))).await;
    let mut statuses: Vec<_> = responses.iter().map(|response| response.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400, 400, 400, 400, 400, 400, 400]);
    assert_eq!(provider.inner().requests["/token"], 1);
}
