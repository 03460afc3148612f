//! Refusals in the log.

use std::io;
use std::sync::{Arc, Mutex};

use super::*;

/// Captures the log of this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn lines(&self) -> Vec<String> {
        let bytes = std::mem::take(&mut *self.0.lock().unwrap());
        String::from_utf8(bytes)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[actix_web::test]
async fn a_refusal_is_logged_with_its_reason_and_without_the_token() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .without_time()
        .with_writer(move || writer.clone())
        .finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    // With one subscriber, tracing lets the thread that reaches an event first decide whether it is ever logged, and the threads
    // of other tests have no subscriber. With two, it asks both.
    let _second = tracing::Dispatch::new(tracing_subscriber::fmt().with_writer(io::sink).finish());

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
            .lines()
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
    let lines = log.lines().join("\n");
    assert!(
        lines.contains("ERROR") && lines.contains("no Data<Verifier>"),
        "{lines}"
    );
}
