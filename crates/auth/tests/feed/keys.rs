//! Announced changes of keys, and the reports of the keys that a verifier holds.

use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use crate::{Fixture, eventually};

fn kids(report: &Value) -> Vec<&str> {
    report["kids"]
        .as_array()
        .unwrap()
        .iter()
        .map(|kid| kid.as_str().unwrap())
        .collect()
}

#[actix_web::test]
async fn a_verifier_reports_its_keys_when_it_connects_and_after_each_change() {
    let fixture = Fixture::start().await;
    let kid = fixture.issuer.jwks()["keys"][0]["kid"]
        .as_str()
        .unwrap()
        .to_owned();
    eventually("the first report", || fixture.publisher.held_keys().len() == 1).await;

    fixture.publisher.announce_keys();
    eventually("the second report", || fixture.publisher.held_keys().len() == 2).await;
    let reports = fixture.publisher.held_keys();
    assert!(
        reports.iter().all(|report| kids(report) == [kid.as_str()]),
        "{reports:?}"
    );
    assert_eq!(reports[0]["instance"], reports[1]["instance"]);
}

#[actix_web::test]
async fn a_report_that_fails_is_repeated_and_one_that_is_refused_is_not() {
    let fixture = Fixture::start().await;
    let reports = || fixture.publisher.held_keys().len();
    eventually("the first report", || reports() == 1).await;
    fixture.publisher.answer_reports(500);
    fixture.publisher.announce_keys();
    // One call sends at most three requests.
    eventually("a repeated report", || reports() > 1 + 3).await;

    let before = reports();
    fixture.publisher.answer_reports(499);
    // One may have arrived between these two lines, and had the old answer.
    eventually("a refused report", || reports() > before).await;
    // In this time it would be repeated at least twice.
    sleep(Duration::from_secs(3)).await;
    assert!(reports() <= before + 2, "{before}");
}
