//! What nobody may read in a log.

use std::error::Error;
use std::fmt::Debug;

use auth::{CallError, ServiceClient, ServiceCredentials};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;

use crate::fake::{Fake, hangs_up, says, sends};
use crate::house::{fine, issues};

const SECRET: &str = "not-a-secret-that-anyone-may-read";

/// All that is said of an error, by it and its causes.
fn all_of(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    causes
        .flat_map(|error| [format!("{error}"), format!("{error:?}"), format!("{error:#?}")])
        .collect()
}

fn assert_silent_error(error: &dyn Error) {
    let said = all_of(error);
    assert_silent(&said);
    // A configured URL is no secret, but nobody knows what stands in it.
    assert!(!said.contains("in-the-query"), "{said}");
}

fn assert_silent(said: &str) {
    let basic = STANDARD.encode(format!("order-service:{SECRET}"));
    for hidden in [SECRET, &basic, "token-1"] {
        assert!(!said.contains(hidden), "{hidden} in {said}");
    }
}

fn assert_silent_of(value: &impl Debug) {
    assert_silent(&format!("{value:?} {value:#?}"));
}

fn client(tokens: &Fake, neighbour: &Fake) -> ServiceClient {
    let url = tokens.url("/oauth/token?key=in-the-query");
    let credentials = ServiceCredentials::new("order-service", SecretString::from(SECRET), url);
    let builder = ServiceClient::builder(&credentials, "thing-service", &neighbour.url(""));
    assert_silent_of(&credentials);
    assert_silent_of(&builder);
    builder.build().unwrap()
}

#[tokio::test]
async fn a_client_and_its_calls_do_not_tell_them() {
    let (tokens, neighbour) = (Fake::that(issues(900)), Fake::that(fine));
    let client = client(&tokens, &neighbour);
    let call = client.post("/").json(&1);
    assert_silent_of(&client);
    assert_silent_of(&call);
    assert_silent_of(&call.send().await.unwrap());
    assert_silent_of(&client);
}

#[tokio::test]
async fn errors_do_not_tell_them() {
    for does in [
        hangs_up(),
        says(401, ""),
        says(200, "{"),
        sends("garbage"),
        says(500, ""),
    ] {
        let tokens_fail = (Fake::that(move |_| does.clone()), Fake::that(fine));
        let error = client(&tokens_fail.0, &tokens_fail.1)
            .get("/")
            .send()
            .await
            .unwrap_err();
        assert!(matches!(error, CallError::NoToken(_)));
        assert_silent_error(&error);
    }
    let neighbour_fails = (Fake::that(issues(900)), Fake::that(|_| hangs_up()));
    let client = client(&neighbour_fails.0, &neighbour_fails.1);
    for _ in 0..5 {
        assert_silent_error(&client.get("/").send().await.unwrap_err());
    }
}
