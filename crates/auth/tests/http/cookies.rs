//! The access cookie.

use auth::{
    AccessCookie, IDENTITY_HEADER, Origins, Policy, Verifier, VerifierBuilder, require, verify_token,
};

use super::*;

pub(super) const OWN: (&str, &str) = ("origin", "https://things.example");
pub(super) const FOREIGN: (&str, &str) = ("origin", "https://evil.example");
pub(super) const REMOVAL: &str = "access=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax; Secure";

pub(super) fn access_cookie() -> AccessCookie {
    let origins = Origins::new("https://things.example", ["https://app.example"]);
    AccessCookie::new("access", origins)
        .guard("refresh")
        .guard_if("short", |value| value.len() < 10)
}

pub(super) fn builder(issuer: &Issuer) -> VerifierBuilder {
    let keys = Keys::new(issuer.key_set());
    issuer.verifier_builder(keys).access_cookie(access_cookie())
}

async fn act(VerifyToken(user): VerifyToken) -> String {
    user.name().to_owned()
}
async fn act_as_anyone(_: Anyone) -> &'static str {
    "anyone"
}
async fn sign_in(_: Anyone) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header(("set-cookie", "access=new; Path=/"))
        .body("signed in")
}

/// The same routes in a route list, behind middleware, and with plain extractors.
pub(super) fn routes(config: &mut ServiceConfig) {
    Routes::new()
        .get("/listed/user", user)
        .get("/listed/optional", optional)
        .get("/listed/anyone", anyone)
        .post("/listed/user", act)
        .post("/listed/optional", optional)
        .post("/listed/anyone", act_as_anyone)
        .post("/sign-in", sign_in)
        .configure(config);
    let scope = |path, middleware| {
        web::scope(path)
            .wrap(middleware)
            .route("", web::route().to(|| async { "wrapped" }))
    };
    config
        .service(scope("/wrapped/user", verify_token()))
        .service(scope("/wrapped/optional", require(Policy::Optional)))
        .service(scope("/wrapped/anyone", require(Policy::Anyone)))
        .route("/plain/user", web::route().to(act))
        .route("/plain/optional", web::route().to(optional))
        .route("/plain/anyone", web::route().to(act_as_anyone));
}

macro_rules! cookie_app {
    ($verifier:expr) => {
        init_service(App::new().app_data(Data::new($verifier)).configure(routes)).await
    };
}
pub(super) use cookie_app;

pub(super) fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> TestRequest {
    let request = TestRequest::with_uri(path).method(method.parse().unwrap());
    headers
        .iter()
        .fold(request, |request, header| request.append_header(*header))
}

pub(super) fn cookie(token: &str) -> String {
    format!("access={token}")
}

/// Requires 403 `cross_site`, which removes no cookie.
pub(super) fn assert_cross_site(response: &TestResponse) {
    let detail =
        "A request that uses or sets cookies, or opens a WebSocket, must come from a page of this site.";
    response.assert_problem(403, "cross_site", detail, None);
    assert_eq!(response.header("set-cookie"), None);
}

#[actix_web::test]
async fn the_token_comes_from_the_header_or_from_the_cookie() {
    let issuer = Issuer::new(SERVICE);
    let app = cookie_app!(builder(&issuer).build());
    let token = issuer.as_user().name("Ada").token();
    let (cookie, bearer) = (cookie(&token), format!("Bearer {token}"));
    for path in [
        "/listed/user",
        "/listed/optional",
        "/plain/user",
        "/plain/optional",
    ] {
        for headers in [
            &[("cookie", cookie.as_str())][..],
            &[("cookie", "theme=dark"), ("cookie", &cookie)],
            &[("cookie", &cookie), ("authorization", "Basic YTpi")],
            &[("cookie", &cookie), ("authorization", &bearer)],
            &[("authorization", &bearer)],
        ] {
            let response = call!(app, request("GET", path, headers));
            response.assert(200, "Ada");
            assert_eq!(response.header("set-cookie"), None);
        }
    }
    call!(app, request("GET", "/wrapped/user", &[("cookie", &cookie)])).assert(200, "wrapped");
    call!(app, get("/listed/user")).assert_no_token();

    // Without the builder's method, cookies are not read.
    let app = cookie_app!(issuer.verifier());
    let headers = [("cookie", cookie.as_str()), FOREIGN];
    call!(app, request("GET", "/listed/user", &headers)).assert_no_token();
    call!(app, request("POST", "/listed/anyone", &headers)).assert(200, "anyone");
}

#[actix_web::test]
async fn a_cookie_without_a_known_token_counts_as_none_and_is_removed() {
    let issuer = Issuer::new(SERVICE);
    let app = cookie_app!(builder(&issuer).build());
    let ada = issuer.as_user().name("Ada").token();
    let good = cookie(&ada);
    for bad in [
        format!("{good}; {good}"),
        "access=".to_owned(),
        cookie(&ada[..ada.len() - 4]),
        cookie(&issuer.as_user().signed_by_a_stranger().token()),
        cookie(&issuer.as_user().wrong_audience().token()),
        cookie(&"a".repeat(9_000)),
    ] {
        let alone = [("cookie", bad.as_str())];
        let bearer = format!("Bearer {ada}");
        let beside_token = [("cookie", bad.as_str()), ("authorization", bearer.as_str())];
        let beside_nonsense = [("cookie", bad.as_str()), ("authorization", "Bearer nonsense")];
        for (kind, removal) in [
            ("listed", Some(REMOVAL)),
            ("wrapped", Some(REMOVAL)),
            ("plain", None),
        ] {
            let is_wrapped = kind == "wrapped";
            let assert = |response: TestResponse, text| {
                response.assert(200, if is_wrapped { "wrapped" } else { text });
                assert_eq!(response.header("set-cookie"), removal, "{kind}");
            };
            let (user, optional) = (format!("/{kind}/user"), format!("/{kind}/optional"));
            let response = call!(app, request("GET", &user, &alone));
            response.assert_no_token();
            assert_eq!(response.header("set-cookie"), removal, "{kind}");
            assert(call!(app, request("GET", &optional, &alone)), "anonymous");
            assert(call!(app, request("POST", &optional, &alone)), "anonymous");
            assert(call!(app, request("GET", &user, &beside_token)), "Ada");
            assert(call!(app, request("POST", &user, &beside_token)), "Ada");
            let response = call!(app, request("GET", &user, &beside_nonsense));
            response.assert_invalid_token();
            assert_eq!(response.header("set-cookie"), removal, "{kind}");
        }
    }
}

#[actix_web::test]
async fn an_expired_or_revoked_token_in_the_cookie_is_refused_and_kept() {
    let issuer = Issuer::new(SERVICE);
    let app = cookie_app!(builder(&issuer).build());
    let ada = issuer.as_user().name("Ada").token();
    for (token, code, detail) in [
        (
            issuer.as_user().expired().token(),
            "token_expired",
            "The access token has expired.",
        ),
        (
            issuer.as_user().revoked().token(),
            "token_revoked",
            "The access token was revoked.",
        ),
    ] {
        let cookie = cookie(&token);
        for path in ["/listed/user", "/wrapped/user", "/plain/user"] {
            let response = call!(app, request("GET", path, &[("cookie", &cookie)]));
            response.assert_bad_token(code, detail);
            assert_eq!(response.header("set-cookie"), None);
        }
        call!(app, request("GET", "/listed/optional", &[("cookie", &cookie)])).assert(200, "anonymous");
        // It is a token, so another one beside it is ambiguous.
        let bearer = format!("Bearer {ada}");
        let both = [("cookie", cookie.as_str()), ("authorization", bearer.as_str())];
        assert_ambiguous(&call!(app, request("GET", "/listed/user", &both)));
    }
}

fn assert_ambiguous(response: &TestResponse) {
    let detail = "Send one access token.";
    response.assert_problem(
        400,
        "invalid_request",
        detail,
        Some(&challenge("invalid_request", detail)),
    );
    assert_eq!(response.header("set-cookie"), None);
}

#[actix_web::test]
async fn a_cookie_and_another_bearer_token_are_ambiguous() {
    let issuer = Issuer::new(SERVICE);
    let app = cookie_app!(builder(&issuer).build());
    let (ada, bob) = (issuer.as_user(), issuer.as_user().token());
    let cookie = cookie(&ada.token());
    for other in [
        bob,
        ada.id(Uuid::new_v4()).token(),
        "nonsense".to_owned(),
        String::new(),
    ] {
        let bearer = format!("Bearer {other}");
        for path in [
            "/listed/user",
            "/listed/optional",
            "/wrapped/user",
            "/plain/optional",
        ] {
            let both = [("cookie", cookie.as_str()), ("authorization", bearer.as_str())];
            assert_ambiguous(&call!(app, request("GET", path, &both)));
        }
    }
}

#[actix_web::test]
async fn without_keys_it_is_not_known_whether_the_cookie_counts() {
    let issuer = Issuer::new(SERVICE);
    let without_keys = issuer.verifier_builder(Keys::default());
    let app = cookie_app!(without_keys.access_cookie(access_cookie()).build());
    let cookie = cookie(&issuer.as_user().token());
    let bearer = format!("Bearer {}", issuer.as_user().token());
    for headers in [
        &[("cookie", cookie.as_str())][..],
        &[("cookie", &cookie), ("authorization", &bearer)],
    ] {
        let response = call!(app, request("GET", "/listed/optional", headers));
        let detail = "Access tokens can't be verified yet.";
        response.assert_problem(503, "keys_unavailable", detail, None);
        assert_eq!(response.header("set-cookie"), None);
    }
}

#[actix_web::test]
async fn a_new_cookie_is_not_removed() {
    let issuer = Issuer::new(SERVICE);
    let app = cookie_app!(builder(&issuer).build());
    let response = call!(app, request("POST", "/sign-in", &[("cookie", "access=nonsense")]));
    response.assert(200, "signed in");
    assert_eq!(response.header("set-cookie"), Some("access=new; Path=/"));
}

#[actix_web::test]
async fn the_applications_own_refusals_remove_the_cookie_too() {
    let issuer = Issuer::new(SERVICE);
    for verifier in [
        builder(&issuer).realm("things").build(),
        builder(&issuer).error_handler(|error, _| error.into()).build(),
    ] {
        let app = cookie_app!(verifier);
        let response = call!(
            app,
            request("GET", "/listed/user", &[("cookie", "access=nonsense")])
        );
        assert_eq!(
            (response.status, response.header("set-cookie")),
            (401, Some(REMOVAL))
        );
    }
}

#[actix_web::test]
async fn behind_a_gateway_the_access_cookie_is_not_read() {
    let issuer = Issuer::new(SERVICE);
    let verifier: Verifier = builder(&issuer)
        .gateway_identities(SERVICE, Keys::new(issuer.gateway_key_set()))
        .build();
    let app = cookie_app!(verifier);
    let ada = issuer.as_user().name("Ada");
    let cookie = cookie(&ada.token());
    let identity = ada.identity_for(SERVICE).token();
    for method in ["GET", "POST"] {
        // It is the gateway's business, so it is not removed, either.
        let response = call!(
            app,
            request(method, "/listed/user", &[("cookie", &cookie), FOREIGN])
        );
        response.assert_no_token();
        assert_eq!(response.header("set-cookie"), None);
        let known = [("cookie", cookie.as_str()), (IDENTITY_HEADER, &identity), FOREIGN];
        call!(app, request(method, "/listed/user", &known)).assert(200, "Ada");
    }
    // The application reads this one.
    let known = [("cookie", "refresh=r"), (IDENTITY_HEADER, &identity), FOREIGN];
    assert_cross_site(&call!(app, request("POST", "/listed/user", &known)));
}

fn mark(request: &HttpRequest, response: &mut HttpResponse) {
    let value = HeaderValue::from_str(request.path()).unwrap();
    response
        .headers_mut()
        .append("x-completed".parse().unwrap(), value);
}

#[actix_web::test]
async fn a_route_completes_its_responses_and_its_refusals() {
    let issuer = Issuer::new(SERVICE);
    let app = app!(issuer, |config| {
        Routes::new()
            .get("/one", user)
            .get("/two", user)
            .on_response(mark)
            .get("/three", user)
            .configure(config);
    });
    let token = issuer.as_user().token();
    for (path, completed) in [("/one", None), ("/two", Some("/two")), ("/three", None)] {
        let response = call!(app, get_as(path, &token));
        assert_eq!(
            (response.status, response.header("x-completed")),
            (200, completed)
        );
        let response = call!(app, get(path));
        assert_eq!(
            (response.status, response.header("x-completed")),
            (401, completed)
        );
    }
}
