//! The order of checks before a handler runs, and the headers of its response.

use super::*;

async fn act(VerifyToken(user): VerifyToken) -> String {
    user.name().to_owned()
}

#[actix_web::test]
async fn a_token_outside_the_authorization_header_is_ignored() {
    let issuer = Issuer::new(SERVICE);
    let app = app!(issuer, |config| {
        listed(config);
        Routes::new().post("/act", act).configure(config);
    });
    let token = issuer.as_user().token();
    for query in ["access_token", "token", "bearer", "Authorization"] {
        call!(app, get(&format!("/user?{query}={token}"))).assert_no_token();
    }
    for header in [
        "x-access-token",
        "proxy-authorization",
        "x-authorization",
        "token",
    ] {
        call!(
            app,
            get("/user").insert_header((header, format!("Bearer {token}")))
        )
        .assert_no_token();
    }
    for cookie in ["access_token", "token", "countersign_access"] {
        call!(
            app,
            get("/user").insert_header(("cookie", format!("{cookie}={token}")))
        )
        .assert_no_token();
    }
    let form = TestRequest::post()
        .uri("/act")
        .insert_header(("content-type", "application/x-www-form-urlencoded"))
        .set_payload(format!("access_token={token}"));
    call!(app, form).assert_no_token();
}

/// An argument that counts its extractions.
struct Counted;

static EXTRACTIONS: AtomicUsize = AtomicUsize::new(0);

impl FromRequest for Counted {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(_: &HttpRequest, _: &mut Payload) -> Self::Future {
        EXTRACTIONS.fetch_add(1, Ordering::SeqCst);
        ready(Ok(Self))
    }
}

#[derive(serde::Deserialize)]
struct Thing {
    name: String,
}

async fn create(VerifyToken(_): VerifyToken, _: Counted, thing: Json<Thing>) -> String {
    thing.into_inner().name
}
async fn create_as_admin(_: IsAdmin, _: Counted, thing: Json<Thing>) -> String {
    thing.into_inner().name
}

pub(crate) fn creators(config: &mut ServiceConfig) {
    config.app_data(web::JsonConfig::default().limit(1_000));
    Routes::new()
        .post("/things", create)
        .post("/admin/things", create_as_admin)
        .configure(config);
}

#[actix_web::test]
async fn the_body_of_an_unauthorized_request_is_not_read() {
    let issuer = Issuer::new(SERVICE);
    let app = app!(issuer, creators);
    let token = issuer.as_user().token();
    let bodies = [
        (400, "{".to_owned()),
        (400, r#"{"name": 1}"#.to_owned()),
        (413, format!(r#"{{"name":"{}"}}"#, "a".repeat(2_000))),
    ];
    let post = |path: &str, body: &str| {
        TestRequest::post()
            .uri(path)
            .insert_header(("content-type", "application/json"))
            .set_payload(body.to_owned())
    };
    for (status, body) in &bodies {
        let before = EXTRACTIONS.load(Ordering::SeqCst);
        call!(app, post("/things", body)).assert_no_token();
        call!(
            app,
            post("/things", body).insert_header(("authorization", "Bearer x"))
        )
        .assert_invalid_token();
        let forbidden =
            post("/admin/things", body).insert_header(("authorization", format!("Bearer {token}")));
        call!(app, forbidden).assert_forbidden(None);
        assert_eq!(
            EXTRACTIONS.load(Ordering::SeqCst),
            before,
            "another argument was extracted"
        );

        let authorized = post("/things", body).insert_header(("authorization", format!("Bearer {token}")));
        let response = call!(app, authorized);
        assert_eq!(response.status, *status, "{}", response.text());
        assert_eq!(response.header("cache-control"), Some("no-store"));
        assert_eq!(EXTRACTIONS.load(Ordering::SeqCst), before + 1);
    }
}

async fn cacheable(_: VerifyToken) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header(("cache-control", "private, max-age=60"))
        .finish()
}
async fn missing(_: CurrentUser) -> HttpResponse {
    ProblemDetails::new(StatusCode::NOT_FOUND, "thing_not_found").respond()
}

#[actix_web::test]
async fn authenticated_responses_are_not_stored_unless_the_handler_allows_it() {
    let issuer = Issuer::new(SERVICE);
    let app = app!(issuer, |config| {
        listed(config);
        Routes::new()
            .get("/cacheable", cacheable)
            .get("/missing", missing)
            .configure(config);
        config.service(
            web::scope("/wrapped")
                .wrap(authorize(["user"]))
                .route("", web::get().to(user)),
        );
    });
    let (user, service) = (
        issuer
            .as_roles(&["user", "support", "admin"])
            .scope("things:read"),
        issuer.as_service("a"),
    );
    for path in [
        "/optional",
        "/user",
        "/admin",
        "/support",
        "/either",
        "/scope",
        "/service",
        "/wrapped",
        "/missing",
    ] {
        let caller = if path == "/service" { &service } else { &user };
        let response = call!(app, get_as(path, &caller.token()));
        assert!([200, 404].contains(&response.status), "{path}");
        assert_eq!(response.header("cache-control"), Some("no-store"), "{path}");
    }
    assert_eq!(
        call!(app, get("/optional")).header("cache-control"),
        Some("no-store")
    );
    assert_eq!(call!(app, get("/anyone")).header("cache-control"), None);
    let cacheable = call!(app, get_as("/cacheable", &user.token()));
    assert_eq!(cacheable.header("cache-control"), Some("private, max-age=60"));
}

#[actix_web::test]
async fn a_wrong_method_on_a_known_path_gets_the_allowed_methods() {
    let issuer = Issuer::new(SERVICE);
    // A path in two lists is still one resource.
    let app = app!(issuer, |config| {
        let first = Routes::new()
            .get("/things", anyone)
            .delete("/things", admin)
            .post("/only", act);
        first
            .merge(Routes::new().put("/things", user).patch("/things", user))
            .configure(config);
    });
    let allow = |response: &TestResponse| {
        let mut methods: Vec<String> = response
            .header("allow")
            .unwrap()
            .split(", ")
            .map(str::to_owned)
            .collect();
        methods.sort();
        methods.join(" ")
    };
    for method in [
        Method::POST,
        Method::OPTIONS,
        Method::TRACE,
        Method::CONNECT,
        Method::from_bytes(b"BREW").unwrap(),
    ] {
        let response = call!(app, TestRequest::with_uri("/things").method(method));
        assert_eq!(
            (response.status, allow(&response).as_str()),
            (405, "DELETE GET HEAD PATCH PUT")
        );
        let problem: Value = serde_json::from_slice(&response.body).unwrap();
        assert_eq!(problem["code"], "method_not_allowed");
        assert_eq!(response.header("content-type"), Some("application/problem+json"));
    }
    for method in [Method::GET, Method::HEAD] {
        let response = call!(app, TestRequest::with_uri("/only").method(method));
        assert_eq!((response.status, allow(&response).as_str()), (405, "POST"));
    }
    call!(app, get("/things")).assert(200, "anyone");
    for method in [Method::DELETE, Method::PUT, Method::PATCH] {
        call!(app, TestRequest::with_uri("/things").method(method)).assert_no_token();
    }
    assert_eq!(call!(app, get("/thing")).status, 404);
    assert_eq!(call!(app, get("/things/")).status, 404);
}

#[test]
fn a_route_list_shows_each_route_and_its_policy() {
    let routes = Routes::new()
        .get("/things", anyone)
        .delete("/things", admin)
        .merge(Routes::new().put("/a", user));
    let listed: Vec<_> = routes
        .iter()
        .map(|route| format!("{} {} {:?}", route.method, route.path, route.policy))
        .collect();
    assert_eq!(
        listed,
        [
            "GET /things Anyone",
            r#"DELETE /things AnyRole(["admin"])"#,
            "PUT /a User"
        ]
    );
    let debug = format!("{routes:?}");
    for part in ["GET", "/things", "Anyone", "DELETE", "PUT", "/a"] {
        assert!(debug.contains(part), "{debug}");
    }
}
