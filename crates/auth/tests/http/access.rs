//! Which caller may call which route, and how the others are refused.

use super::*;

#[actix_web::test]
async fn the_first_argument_decides_who_may_call() {
    assert_access!(listed);
}

#[actix_web::test]
async fn the_first_argument_decides_without_a_route_list_too() {
    assert_access!(plain);
}

macro_rules! assert_refused {
    ($configure:expr) => {
        let issuer = Issuer::new(SERVICE);
        let app = app!(issuer, $configure);
        let user = || {
            issuer
                .as_roles(&["user", "support", "admin"])
                .scope("things:read")
        };
        let service = || issuer.as_service("gateway");
        let bad = [
            ("token_expired", user().expired()),
            ("token_expired", service().expired()),
            ("token_revoked", user().revoked()),
            ("invalid_token", user().wrong_audience()),
            ("invalid_token", service().wrong_audience()),
            ("invalid_token", user().signed_by_a_stranger()),
            ("invalid_token", service().signed_by_a_stranger()),
            ("invalid_token", issuer.rotated().as_admin()),
        ];
        for (code, test_token) in bad {
            let token = test_token.token();
            let detail = match code {
                "token_expired" => "The access token has expired.",
                "token_revoked" => "The access token was revoked.",
                _ => "The access token is not valid.",
            };
            for path in GUARDED {
                call!(app, get_as(path, &token)).assert_bad_token(code, detail);
            }
            call!(app, get_as("/anyone", &token)).assert(200, "anyone");
            call!(app, get_as("/optional", &token)).assert(200, "anonymous");
        }
        for path in GUARDED {
            call!(app, get(path)).assert_no_token();
        }
        call!(app, get("/anyone")).assert(200, "anyone");
        call!(app, get("/optional")).assert(200, "anonymous");
    };
}

#[actix_web::test]
async fn refusals_follow_rfc_6750() {
    assert_refused!(listed);
}

#[actix_web::test]
async fn refusals_are_the_same_in_an_app_without_a_route_list() {
    assert_refused!(plain);
}

#[actix_web::test]
async fn the_authorization_header_holds_one_bearer_token() {
    let issuer = Issuer::new(SERVICE);
    let app = app!(issuer, listed);
    let token = issuer.as_user().name("Ada").token();
    let with = |value: &str| get("/user").insert_header(("authorization", value.replace("TOKEN", &token)));

    for good in ["Bearer TOKEN", "bearer TOKEN", "BEARER TOKEN", "bEaReR TOKEN"] {
        call!(app, with(good)).assert(200, "Ada");
    }
    // Another scheme or an unknown one counts as no token.
    for none in [
        "",
        "Basic YWRhOnB3",
        "Basic TOKEN",
        "TOKEN",
        "BearerTOKEN",
        "Bearer\tTOKEN",
        "Token TOKEN",
        "Bearer,TOKEN",
    ] {
        call!(app, with(none)).assert_no_token();
    }
    for bad in [
        "Bearer",
        "Bearer ",
        "Bearer  TOKEN",
        "Bearer TOKEN TOKEN",
        "Bearer TOKEN,TOKEN",
        "Bearer TOKEN, Bearer TOKEN",
        "Bearer TOKEN,",
        "Bearer \"TOKEN\"",
        "Bearer TOKEN\t",
        "Bearer \tTOKEN",
        "Bearer x",
        "Bearer TOKEN ",
    ] {
        call!(app, with(bad)).assert_invalid_token();
    }
    let latin = HeaderValue::from_bytes(b"Bearer \xe9").unwrap();
    call!(app, get("/user").insert_header(("authorization", latin))).assert_invalid_token();
}

#[actix_web::test]
async fn two_authorization_headers_are_refused() {
    let issuer = Issuer::new(SERVICE);
    let app = app!(issuer, listed);
    let bearer = format!("Bearer {}", issuer.as_user().token());
    for (first, second) in [
        (bearer.as_str(), bearer.as_str()),
        ("Basic YWRhOnB3", &bearer),
        (&bearer, "Bearer x"),
    ] {
        let twice = |path| {
            get(path)
                .append_header(("authorization", first))
                .append_header(("authorization", second))
        };
        for path in GUARDED.into_iter().chain(["/optional"]) {
            let (code, detail) = ("invalid_request", "Send one access token.");
            let challenge = challenge(code, detail);
            call!(app, twice(path)).assert_problem(400, code, detail, Some(&challenge));
        }
        call!(app, twice("/anyone")).assert(200, "anyone");
    }
}
