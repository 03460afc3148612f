//! The cross-site rule.

use super::cookies::*;
use super::*;

#[actix_web::test]
async fn an_unsafe_request_with_a_cookie_must_come_from_an_allowed_page() {
    let issuer = Issuer::new(SERVICE);
    let app = cookie_app!(builder(&issuer).build());
    let token = issuer.as_user().name("Ada").token();
    let bearer = format!("Bearer {token}");
    let access = cookie(&token);
    // The refresh cookie identifies no user, so there is a bearer token, too.
    let refresh = [("cookie", "refresh=r"), ("authorization", bearer.as_str())];
    for carried in [&[("cookie", access.as_str())][..], &refresh] {
        let with = |header| [carried, &[header]].concat();
        for path in [
            "/listed/user",
            "/listed/optional",
            "/listed/anyone",
            "/wrapped/user",
            "/wrapped/optional",
            "/wrapped/anyone",
            "/plain/user",
            "/plain/optional",
        ] {
            for allowed in [
                OWN,
                ("origin", "https://app.example"),
                ("sec-fetch-site", "same-origin"),
                ("sec-fetch-site", "none"),
            ] {
                let response = call!(app, request("POST", path, &with(allowed)));
                assert_eq!(response.status, 200, "{path} {allowed:?}");
            }
            for refused in [
                FOREIGN,
                ("origin", "null"),
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-site", "same-site"),
                ("referer", "https://things.example/"),
            ] {
                assert_cross_site(&call!(app, request("POST", path, &with(refused))));
            }
        }
        for method in ["GET", "HEAD"] {
            let response = call!(app, request(method, "/listed/user", &with(FOREIGN)));
            assert_eq!(response.status, 200, "{method}");
        }
    }
    for other in ["theme=dark", "Refresh=a", "refresh"] {
        let headers = [("cookie", other), ("authorization", bearer.as_str()), FOREIGN];
        call!(app, request("POST", "/listed/user", &headers)).assert(200, "Ada");
        call!(app, request("POST", "/listed/anyone", &headers)).assert(200, "anyone");
    }
}

#[actix_web::test]
async fn a_guarded_cookie_counts_in_every_form_unless_the_application_says_which_values_it_uses() {
    let issuer = Issuer::new(SERVICE);
    let app = cookie_app!(builder(&issuer).build());
    let bearer = format!("Bearer {}", issuer.as_user().name("Ada").token());
    for (cookie, is_usable) in [
        ("refresh=r", true),
        ("refresh=", true),
        ("refresh=a; refresh=b", true),
        ("short=s", true),
        ("short=s; theme=dark", true),
        ("short=s; short=s", false),
        ("short=", false),
        ("short=long-value", false),
        ("short=long-value; refresh=", true),
    ] {
        for path in ["/listed/user", "/listed/anyone", "/wrapped/user", "/plain/user"] {
            let with = |source| {
                let headers = [("cookie", cookie), ("authorization", bearer.as_str()), source];
                request("POST", path, &headers)
            };
            assert_cross_site(&call!(app, with(FOREIGN)));
            assert_eq!(call!(app, with(OWN)).status, 200, "{path}, {cookie}");
            let unknown = call!(app, with(("accept", "*/*")));
            let expected = if is_usable { 403 } else { 200 };
            assert_eq!(unknown.status, expected, "{path}, {cookie}");
        }
    }
}

#[actix_web::test]
async fn a_bad_credential_gets_401_before_403() {
    let issuer = Issuer::new(SERVICE);
    let app = cookie_app!(builder(&issuer).build());
    for path in ["/listed/user", "/wrapped/user"] {
        let with = |cookie: &str| request("POST", path, &[("cookie", cookie), FOREIGN]);
        call!(app, with("refresh=r")).assert_no_token();
        let bad = call!(app, with("access=nonsense"));
        bad.assert_no_token();
        assert_eq!(bad.header("set-cookie"), Some(REMOVAL));
        let expired = cookie(&issuer.as_user().expired().token());
        call!(app, with(&expired)).assert_bad_token("token_expired", "The access token has expired.");
    }
    // Where no credential is needed, a bad cookie does not make the request one with cookies.
    let bad = request(
        "POST",
        "/listed/anyone",
        &[("cookie", "access=nonsense"), FOREIGN],
    );
    let response = call!(app, bad);
    response.assert(200, "anyone");
    // A cache must not remove the cookies of others.
    assert_eq!(response.header("cache-control"), Some("no-store"));
    assert_eq!(response.header("set-cookie"), Some(REMOVAL));
    let expired = cookie(&issuer.as_user().expired().token());
    assert_cross_site(&call!(
        app,
        request("POST", "/listed/anyone", &[("cookie", &expired), FOREIGN])
    ));
}
