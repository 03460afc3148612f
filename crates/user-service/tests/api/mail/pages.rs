//! The pages to which links lead.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::service;

/// The content of an element without attributes.
fn element<'p>(page: &'p str, name: &str) -> &'p str {
    let (_, rest) = page.split_once(&format!("<{name}>")).unwrap();
    rest.split_once(&format!("</{name}>")).unwrap().0
}

#[actix_web::test]
async fn a_page_runs_only_its_own_script_and_loads_nothing() {
    let service = service().await;
    for (path, field) in [
        ("/auth/email/verify", None),
        ("/auth/password/reset", Some("new_password")),
    ] {
        let response = service.anonymous().get(path).await;
        response.assert_status(200);
        assert_eq!(response.header("content-type"), "text/html; charset=utf-8");
        assert_eq!(response.header("referrer-policy"), "no-referrer");
        assert_eq!(response.header("x-frame-options"), "DENY");
        let policy = response.header("content-security-policy");
        for directive in [
            "default-src 'none'",
            "connect-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ] {
            assert!(policy.contains(directive), "{policy}");
        }

        let page = &response.body;
        for name in ["script", "style"] {
            assert_eq!(page.matches(&format!("<{name}")).count(), 1, "{page}");
            let hash = STANDARD.encode(digest::digest(&digest::SHA256, element(page, name).as_bytes()));
            assert!(
                policy.contains(&format!("{name}-src 'sha256-{hash}';")),
                "{policy}"
            );
        }
        for absent in ["://", "src=", "<link", "<img", "onclick", "unsafe", "innerHTML"] {
            assert!(!page.contains(absent), "{absent}: {page}");
        }
        assert!(page.contains("method: 'POST'") && page.contains("location.hash"));
        assert_eq!(page.contains("name=\"new_password\""), field.is_some());
    }
}
