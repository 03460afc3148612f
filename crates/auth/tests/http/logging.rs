//! Refusals in the log.

use super::captured_log::CapturedLog;
use super::*;

#[actix_web::test]
async fn a_refusal_is_logged_with_its_reason_and_without_the_token() {
    let log = CapturedLog::start();
    let issuer = Issuer::new(SERVICE);
    let app = app!(issuer, |config: &mut ServiceConfig| {
        listed(config);
        middleware::scopes(config);
    });
    let token = issuer.as_user().wrong_audience().token();
    for (request, logged) in [
        (get_as("/user", &issuer.as_user().token()), None),
        (get("/user"), Some(r#"refused code="no_token" route="/user""#)),
        (
            get_as("/user", &token),
            Some(r#"refused code="invalid_token" fault=wrong audience route="/user""#),
        ),
        (
            get_as("/admin", &issuer.as_user().token()),
            Some(r#"refused code="forbidden" route="/admin""#),
        ),
        // Admitted by the middleware, refused by the extractor.
        (
            get("/optional/name"),
            Some(r#"refused code="no_token" route="/optional/name""#),
        ),
    ] {
        call!(app, request);
        let lines: Vec<_> = log
            .take_lines()
            .into_iter()
            .filter(|line| line.contains("auth::authenticate"))
            .collect();
        assert_eq!(lines.len(), usize::from(logged.is_some()), "{lines:?}");
        for (line, logged) in lines.iter().zip(logged) {
            assert!(line.contains("INFO") && line.contains(logged), "{line}");
            assert!(!line.contains(&token), "{line}");
        }
    }

    let without_verifier = init_service(App::new().configure(plain)).await;
    call!(without_verifier, get_as("/user", &token));
    let lines = log.take_lines().join("\n");
    assert!(
        lines.contains("ERROR") && lines.contains("no Data<Verifier>"),
        "{lines}"
    );
}
