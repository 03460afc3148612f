//! Who is let in over HTTP, and what the others are told: status, challenge (RFC 6750 §3) and problem details (RFC 9457).
#![expect(clippy::unwrap_used, reason = "a test stops at what can't be")]

use std::future::{Ready, ready};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceResponse};
use actix_web::http::header::{HeaderMap, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::web::{self, Data, Json, ServiceConfig};
use actix_web::{App, FromRequest, HttpRequest, HttpResponse, HttpServer};
use auth::testing::Issuer;
use auth::{
    Admin, AnyRole, Anyone, CurrentUser, HasRole, HasScope, IsAdmin, IsService, Keys, ProblemDetails,
    Revocation, Revocations, Routes, Support, Verifier, VerifyToken, authorize,
};
use futures_util::future::LocalBoxFuture;
use serde_json::{Value, json};
use uuid::Uuid;

auth::scopes! {
    /// May read things.
    ReadThings = "things:read";
}

const SERVICE: &str = "thing-service";
const GUARDED: [&str; 6] = ["/user", "/admin", "/support", "/either", "/scope", "/service"];

async fn anyone(_: Anyone) -> &'static str {
    "anyone"
}
async fn optional(CurrentUser(user): CurrentUser) -> String {
    user.map_or_else(|| "nobody".to_owned(), |user| user.name().to_owned())
}
async fn user(VerifyToken(user): VerifyToken) -> String {
    user.name().to_owned()
}
async fn admin(IsAdmin(user): IsAdmin) -> String {
    user.name().to_owned()
}
async fn support(user: HasRole<Support>) -> String {
    user.name().to_owned()
}
async fn either(user: AnyRole<(Support, Admin)>) -> String {
    user.name().to_owned()
}
async fn scope(user: HasScope<ReadThings>) -> String {
    user.name().to_owned()
}
async fn service(IsService(caller): IsService) -> String {
    caller.name().to_owned()
}

/// One route for each type that says who may call.
fn listed(config: &mut ServiceConfig) {
    Routes::new()
        .get("/anyone", anyone)
        .get("/optional", optional)
        .get("/user", user)
        .get("/admin", admin)
        .get("/support", support)
        .get("/either", either)
        .get("/scope", scope)
        .get("/service", service)
        .configure(config);
}

/// The same handlers in an application that has no route list.
fn plain(config: &mut ServiceConfig) {
    config
        .route("/anyone", web::get().to(anyone))
        .route("/optional", web::get().to(optional))
        .route("/user", web::get().to(user))
        .route("/admin", web::get().to(admin))
        .route("/support", web::get().to(support))
        .route("/either", web::get().to(either))
        .route("/scope", web::get().to(scope))
        .route("/service", web::get().to(service));
}

fn challenge(error: &str, description: &str) -> String {
    format!(r#"Bearer realm="countersign", error="{error}", error_description="{description}""#)
}

/// An answer, read to its end.
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name);
        let value = values.next().map(|value| value.to_str().unwrap());
        assert!(values.next().is_none(), "{name} twice");
        value
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    #[track_caller]
    fn assert(&self, status: u16, text: &str) {
        assert_eq!((self.status, self.text()), (status, text));
    }

    /// A refusal with nothing in it but what is said here.
    #[track_caller]
    fn assert_problem(&self, status: u16, code: &str, detail: &str, challenge: Option<&str>) {
        let title = StatusCode::from_u16(status).unwrap().canonical_reason();
        let problem =
            json!({"type": "about:blank", "title": title, "status": status, "detail": detail, "code": code});
        assert_eq!((self.status, serde_json::from_slice::<Value>(&self.body).unwrap()), (status, problem));
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(self.header("cache-control"), Some("no-store"));
        assert_eq!(self.header("www-authenticate"), challenge);
        assert_eq!(self.header("retry-after"), (status == 503).then_some("1"));
    }

    #[track_caller]
    fn assert_no_token(&self) {
        let challenge = r#"Bearer realm="countersign""#;
        self.assert_problem(401, "no_token", "This needs an access token.", Some(challenge));
    }

    #[track_caller]
    fn assert_bad_token(&self, code: &str, detail: &str) {
        self.assert_problem(401, code, detail, Some(&challenge("invalid_token", detail)));
    }

    #[track_caller]
    fn assert_invalid_token(&self) {
        self.assert_bad_token("invalid_token", "The access token is not valid.");
    }

    #[track_caller]
    fn assert_forbidden(&self, scope: Option<&str>) {
        let detail = "You may not do this.";
        let scope = scope.map(|scope| format!(r#", scope="{scope}""#)).unwrap_or_default();
        let challenge = challenge("insufficient_scope", detail) + &scope;
        self.assert_problem(403, "forbidden", detail, Some(&challenge));
    }
}

async fn read<B: MessageBody>(response: ServiceResponse<B>) -> Answer {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer { status, headers, body: read_body(response).await.to_vec() }
}

/// A macro, since the type of a test's request has no name here.
macro_rules! call {
    ($app:expr, $request:expr) => {
        read(call_service(&$app, $request.to_request()).await).await
    };
}

macro_rules! app {
    ($issuer:expr, $configure:expr) => {
        init_service(App::new().app_data(Data::new($issuer.verifier())).configure($configure)).await
    };
}

fn get(path: &str) -> TestRequest {
    TestRequest::get().uri(path)
}

fn get_as(path: &str, token: &str) -> TestRequest {
    get(path).insert_header(("authorization", format!("Bearer {token}")))
}

/// Each caller at each route: who comes in where is the same whether the route list asks or the argument itself.
macro_rules! assert_let_in {
    ($configure:expr) => {
        let issuer = Issuer::new(SERVICE);
        let app = app!(issuer, $configure);
        let name = "Ada";
        let callers = [
            (issuer.as_user().name(name), ["/user"].as_slice()),
            (issuer.as_user().name(name).scope("a things:read"), &["/user", "/scope"]),
            (issuer.as_user().name(name).scope("things:read-all"), &["/user"]),
            (issuer.as_roles(&["user", "support"]).name(name), &["/user", "/support", "/either"]),
            (issuer.as_admin().name(name), &["/user", "/admin", "/either"]),
            (issuer.as_roles(&["administrator"]).name(name), &["/user"]),
            (issuer.as_roles(&[]).name(name), &["/user"]),
            (issuer.as_service(name).scope("things:read"), &["/service"]),
        ];
        for (caller, may) in callers {
            let is_service = caller.claims().sid.is_none();
            let token = caller.token();
            for path in GUARDED {
                let answer = call!(app, get_as(path, &token));
                if may.contains(&path) {
                    answer.assert(200, name);
                } else {
                    answer.assert_forbidden((path == "/scope").then_some("things:read"));
                }
            }
            call!(app, get_as("/anyone", &token)).assert(200, "anyone");
            // To a route that asks who the user is, a service is nobody.
            call!(app, get_as("/optional", &token)).assert(200, if is_service { "nobody" } else { name });
        }
    };
}

#[actix_web::test]
async fn each_caller_comes_in_where_the_first_argument_says() {
    assert_let_in!(listed);
}

#[actix_web::test]
async fn the_types_say_the_same_in_an_app_without_a_route_list() {
    assert_let_in!(plain);
}

macro_rules! assert_refused {
    ($configure:expr) => {
        let issuer = Issuer::new(SERVICE);
        let app = app!(issuer, $configure);
        let user = || issuer.as_roles(&["user", "support", "admin"]).scope("things:read");
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
        for (code, bearer) in bad {
            let token = bearer.token();
            let detail = match code {
                "token_expired" => "The access token has expired.",
                "token_revoked" => "The access token was taken back.",
                _ => "The access token is not valid.",
            };
            for path in GUARDED {
                call!(app, get_as(path, &token)).assert_bad_token(code, detail);
            }
            call!(app, get_as("/anyone", &token)).assert(200, "anyone");
            call!(app, get_as("/optional", &token)).assert(200, "nobody");
        }
        for path in GUARDED {
            call!(app, get(path)).assert_no_token();
        }
        call!(app, get("/anyone")).assert(200, "anyone");
        call!(app, get("/optional")).assert(200, "nobody");
    };
}

#[actix_web::test]
async fn nobody_and_bad_tokens_are_told_why_as_rfc_6750_has_it() {
    assert_refused!(listed);
}

#[actix_web::test]
async fn refusals_are_the_same_in_an_app_without_a_route_list() {
    assert_refused!(plain);
}

#[actix_web::test]
async fn a_bearer_token_is_one_word_after_one_space() {
    let issuer = Issuer::new(SERVICE);
    let app = app!(issuer, listed);
    let token = issuer.as_user().name("Ada").token();
    let with = |value: &str| get("/user").insert_header(("authorization", value.replace("TOKEN", &token)));

    for good in ["Bearer TOKEN", "bearer TOKEN", "BEARER TOKEN", "bEaReR TOKEN"] {
        call!(app, with(good)).assert(200, "Ada");
    }
    // Credentials of another kind, or of none that is known, are no bearer token.
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
async fn two_authorization_headers_are_refused_whatever_they_say() {
    let issuer = Issuer::new(SERVICE);
    let app = app!(issuer, listed);
    let bearer = format!("Bearer {}", issuer.as_user().token());
    for (first, second) in
        [(bearer.as_str(), bearer.as_str()), ("Basic YWRhOnB3", &bearer), (&bearer, "Bearer x")]
    {
        let twice =
            |path| get(path).append_header(("authorization", first)).append_header(("authorization", second));
        for path in GUARDED.into_iter().chain(["/optional"]) {
            let (code, detail) = ("invalid_request", "Send one Authorization header.");
            let challenge = challenge(code, detail);
            call!(app, twice(path)).assert_problem(400, code, detail, Some(&challenge));
        }
        call!(app, twice("/anyone")).assert(200, "anyone");
    }
}

async fn act(VerifyToken(user): VerifyToken) -> String {
    user.name().to_owned()
}

#[actix_web::test]
async fn a_token_anywhere_else_is_not_looked_at() {
    let issuer = Issuer::new(SERVICE);
    let app = app!(issuer, |config| {
        listed(config);
        Routes::new().post("/act", act).configure(config);
    });
    let token = issuer.as_user().token();
    for query in ["access_token", "token", "bearer", "Authorization"] {
        call!(app, get(&format!("/user?{query}={token}"))).assert_no_token();
    }
    for header in ["x-access-token", "proxy-authorization", "x-authorization", "token"] {
        call!(app, get("/user").insert_header((header, format!("Bearer {token}")))).assert_no_token();
    }
    for cookie in ["access_token", "token", "countersign_access"] {
        call!(app, get("/user").insert_header(("cookie", format!("{cookie}={token}")))).assert_no_token();
    }
    let form = TestRequest::post()
        .uri("/act")
        .insert_header(("content-type", "application/x-www-form-urlencoded"))
        .set_payload(format!("access_token={token}"));
    call!(app, form).assert_no_token();
}

/// An argument that notes that it was asked for.
struct Noted;

static NOTED: AtomicUsize = AtomicUsize::new(0);

impl FromRequest for Noted {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(_: &HttpRequest, _: &mut Payload) -> Self::Future {
        NOTED.fetch_add(1, Ordering::SeqCst);
        ready(Ok(Self))
    }
}

#[derive(serde::Deserialize)]
struct Thing {
    name: String,
}

async fn make(VerifyToken(_): VerifyToken, _: Noted, thing: Json<Thing>) -> String {
    thing.into_inner().name
}
async fn make_as_admin(_: IsAdmin, _: Noted, thing: Json<Thing>) -> String {
    thing.into_inner().name
}

fn makers(config: &mut ServiceConfig) {
    config.app_data(web::JsonConfig::default().limit(1_000));
    Routes::new().post("/things", make).post("/admin/things", make_as_admin).configure(config);
}

#[actix_web::test]
async fn a_strangers_body_is_never_read() {
    let issuer = Issuer::new(SERVICE);
    let app = app!(issuer, makers);
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
        let noted = NOTED.load(Ordering::SeqCst);
        call!(app, post("/things", body)).assert_no_token();
        call!(app, post("/things", body).insert_header(("authorization", "Bearer x"))).assert_invalid_token();
        let may_not = post("/admin/things", body).insert_header(("authorization", format!("Bearer {token}")));
        call!(app, may_not).assert_forbidden(None);
        assert_eq!(NOTED.load(Ordering::SeqCst), noted, "no other argument was made");

        let known = post("/things", body).insert_header(("authorization", format!("Bearer {token}")));
        let answer = call!(app, known);
        assert_eq!(answer.status, *status, "{}", answer.text());
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(NOTED.load(Ordering::SeqCst), noted + 1);
    }
}

async fn cacheable(_: VerifyToken) -> HttpResponse {
    HttpResponse::Ok().insert_header(("cache-control", "private, max-age=60")).finish()
}
async fn missing(_: CurrentUser) -> HttpResponse {
    ProblemDetails::new(StatusCode::NOT_FOUND, "thing_not_found").respond()
}

#[actix_web::test]
async fn what_is_behind_a_token_is_not_stored_unless_the_handler_says_so() {
    let issuer = Issuer::new(SERVICE);
    let app = app!(issuer, |config| {
        listed(config);
        Routes::new().get("/cacheable", cacheable).get("/missing", missing).configure(config);
        config.service(web::scope("/wrapped").wrap(authorize(["user"])).route("", web::get().to(user)));
    });
    let (user, service) =
        (issuer.as_roles(&["user", "support", "admin"]).scope("things:read"), issuer.as_service("a"));
    for path in
        ["/optional", "/user", "/admin", "/support", "/either", "/scope", "/service", "/wrapped", "/missing"]
    {
        let bearer = if path == "/service" { &service } else { &user };
        let answer = call!(app, get_as(path, &bearer.token()));
        assert!([200, 404].contains(&answer.status), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
    }
    assert_eq!(call!(app, get("/optional")).header("cache-control"), Some("no-store"));
    assert_eq!(call!(app, get("/anyone")).header("cache-control"), None);
    let cacheable = call!(app, get_as("/cacheable", &user.token()));
    assert_eq!(cacheable.header("cache-control"), Some("private, max-age=60"));
}

#[actix_web::test]
async fn a_wrong_method_on_a_known_path_is_told_what_is_allowed() {
    let issuer = Issuer::new(SERVICE);
    // One path in two lists is one resource all the same.
    let app = app!(issuer, |config| {
        let first = Routes::new().get("/things", anyone).delete("/things", admin).post("/only", act);
        first.and(Routes::new().put("/things", user).patch("/things", user)).configure(config);
    });
    let allow = |answer: &Answer| {
        let mut methods: Vec<String> =
            answer.header("allow").unwrap().split(", ").map(str::to_owned).collect();
        methods.sort();
        methods.join(" ")
    };
    for method in
        [Method::POST, Method::OPTIONS, Method::TRACE, Method::CONNECT, Method::from_bytes(b"BREW").unwrap()]
    {
        let answer = call!(app, TestRequest::with_uri("/things").method(method));
        assert_eq!((answer.status, allow(&answer).as_str()), (405, "DELETE GET HEAD PATCH PUT"));
        let problem: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(problem["code"], "method_not_allowed");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
    for method in [Method::GET, Method::HEAD] {
        let answer = call!(app, TestRequest::with_uri("/only").method(method));
        assert_eq!((answer.status, allow(&answer).as_str()), (405, "POST"));
    }
    call!(app, get("/things")).assert(200, "anyone");
    for method in [Method::DELETE, Method::PUT, Method::PATCH] {
        call!(app, TestRequest::with_uri("/things").method(method)).assert_no_token();
    }
    assert_eq!(call!(app, get("/thing")).status, 404);
    assert_eq!(call!(app, get("/things/")).status, 404);
}

fn administration(config: &mut ServiceConfig) {
    let scope = web::scope("/administration").wrap(authorize(["support", "admin"])).configure(|config| {
        config.route("/plain", web::get().to(|| async { "plain" })).route("/admin", web::get().to(admin));
        Routes::new().get("/listed", admin).get("/anyone", anyone).configure(config);
    });
    config.service(scope);
    config.service(web::scope("/nobody").wrap(authorize([])).route("", web::get().to(anyone)));
}

#[actix_web::test]
async fn a_whole_scope_can_be_guarded_and_its_handlers_rules_hold_too() {
    let issuer = Issuer::new(SERVICE);
    let app = app!(issuer, administration);
    let user = issuer.as_user().token();
    let support = issuer.as_roles(&["user", "support"]).token();
    let admin = issuer.as_admin().name("Ada").token();
    let service = issuer.as_service("gateway").token();
    for (path, to_support, to_admin) in [
        ("/plain", Some("plain"), "plain"),
        ("/admin", None, "Ada"),
        ("/listed", None, "Ada"),
        ("/anyone", Some("anyone"), "anyone"),
    ] {
        let path = format!("/administration{path}");
        call!(app, get(&path)).assert_no_token();
        call!(app, get_as(&path, &issuer.as_admin().expired().token()))
            .assert_bad_token("token_expired", "The access token has expired.");
        call!(app, get_as(&path, &user)).assert_forbidden(None);
        call!(app, get_as(&path, &service)).assert_forbidden(None);
        call!(app, get_as(&path, &admin)).assert(200, to_admin);
        let answer = call!(app, get_as(&path, &support));
        match to_support {
            Some(text) => answer.assert(200, text),
            None => answer.assert_forbidden(None),
        }
    }
    call!(app, get("/administration/unknown")).assert_no_token();
    assert_eq!(call!(app, get_as("/administration/unknown", &admin)).status, 404);
    call!(app, get_as("/nobody", &admin)).assert_forbidden(None);
}

/// An argument that ends the session that is calling.
struct EndsSession;

impl FromRequest for EndsSession {
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        // Arguments are asked for all at once, and made in order.
        Box::pin(async move {
            let id = request.headers().get("x-session").unwrap().to_str().unwrap().parse().unwrap();
            let revocations = request.app_data::<Data<Revocations>>().unwrap();
            revocations.apply(Revocation::Session { id, expires_at: i64::MAX });
            Ok(Self)
        })
    }
}

async fn end(VerifyToken(first): VerifyToken, _: EndsSession, CurrentUser(second): CurrentUser) -> String {
    assert_eq!(Some(first.id()), second.map(|user| user.id()));
    "ended".to_owned()
}

#[actix_web::test]
async fn a_request_is_judged_once_however_many_ask() {
    let issuer = Issuer::new(SERVICE);
    for configure in [
        |config: &mut ServiceConfig| Routes::new().get("/end", end).configure(config),
        |config: &mut ServiceConfig| {
            config.route("/end", web::get().to(end));
        },
    ] {
        let app = app!(issuer, |config| {
            config.app_data(Data::new(issuer.revocations().clone()));
            configure(config);
        });
        let ada = issuer.as_user();
        let end = || {
            get_as("/end", &ada.token()).insert_header(("x-session", ada.claims().sid.unwrap().to_string()))
        };
        call!(app, end()).assert(200, "ended");
        call!(app, end()).assert_bad_token("token_revoked", "The access token was taken back.");
    }
}

#[actix_web::test]
async fn a_verifier_that_can_not_judge_says_so_and_lets_nobody_in() {
    let issuer = Issuer::new(SERVICE);
    let full = Revocations::new(issuer.clock().clone(), 0);
    full.apply(Revocation::Session { id: Uuid::new_v4(), expires_at: i64::MAX });
    let builder = |keys| Verifier::builder(SERVICE, issuer.issuer(), keys).clock(issuer.clock().clone());
    for (verifier, code, detail) in [
        (builder(Keys::default()).build(), "keys_unavailable", "Tokens can't be checked yet."),
        (
            builder(Keys::fixed(issuer.key_set())).revocations(full).build(),
            "revocation_unknown",
            "It is not known whether the access token was taken back.",
        ),
    ] {
        let app = init_service(App::new().app_data(Data::new(verifier)).configure(listed)).await;
        let token = issuer.as_admin().token();
        for path in ["/user", "/admin", "/support", "/either", "/scope", "/service", "/optional"] {
            call!(app, get_as(path, &token)).assert_problem(503, code, detail, None);
        }
        call!(app, get_as("/anyone", &token)).assert(200, "anyone");
        call!(app, get("/user")).assert_no_token();
    }
}

#[actix_web::test]
async fn without_a_verifier_nobody_is_let_in() {
    let issuer = Issuer::new(SERVICE);
    let apps = [
        init_service(App::new().configure(listed)).await,
        init_service(App::new().configure(plain)).await,
        init_service(App::new().app_data(issuer.verifier()).configure(listed)).await,
    ];
    for app in apps {
        for token in [issuer.as_admin().token(), issuer.as_service("gateway").token(), "x".to_owned()] {
            for path in GUARDED.into_iter().chain(["/optional"]) {
                call!(app, get_as(path, &token)).assert_problem(
                    500,
                    "internal",
                    "Something went wrong.",
                    None,
                );
            }
            call!(app, get_as("/anyone", &token)).assert(200, "anyone");
        }
        call!(app, get("/user")).assert_no_token();
    }
    let app = init_service(App::new().configure(administration)).await;
    let answer = call!(app, get_as("/administration/plain", &issuer.as_admin().token()));
    answer.assert_problem(500, "internal", "Something went wrong.", None);
}

/// A real server, for what only shows on a connection.
fn serve(issuer: &Issuer) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let verifier = Data::new(issuer.verifier());
    std::thread::spawn(move || {
        let server = HttpServer::new(move || {
            App::new().app_data(verifier.clone()).configure(listed).configure(makers)
        });
        let server = server.workers(1).disable_signals().listen(listener).unwrap().run();
        actix_web::rt::System::new().block_on(server).unwrap();
    });
    address
}

struct Connection(BufReader<TcpStream>);

impl Connection {
    fn to(address: SocketAddr) -> Self {
        let connection = TcpStream::connect(address).unwrap();
        connection.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self(BufReader::new(connection))
    }

    fn send(&mut self, head: &str) {
        self.0.get_mut().write_all(head.as_bytes()).unwrap();
    }

    /// Status line and header of the next answer, and its body, if it has one.
    fn receive(&mut self, has_body: bool) -> (String, String) {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(self.0.read_line(&mut head).unwrap(), 0, "closed after {head:?}");
        }
        let head = head.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut body = vec![0; if has_body { length.parse().unwrap() } else { 0 }];
        self.0.read_exact(&mut body).unwrap();
        (head, String::from_utf8(body).unwrap())
    }
}

#[test]
fn a_body_that_never_comes_keeps_no_stranger_waiting() {
    let issuer = Issuer::new(SERVICE);
    let address = serve(&issuer);
    let token = issuer.as_user().token();
    for (path, authorization, status) in [
        ("/things", String::new(), "401"),
        ("/things", "authorization: Bearer x\r\n".to_owned(), "401"),
        ("/admin/things", format!("authorization: Bearer {token}\r\n"), "403"),
    ] {
        for framing in ["content-length: 100", "content-length: 100000000000", "transfer-encoding: chunked"] {
            let mut connection = Connection::to(address);
            let head = format!("POST {path} HTTP/1.1\r\nhost: a\r\n{authorization}{framing}\r\n");
            connection.send(&(head + "content-type: application/json\r\n\r\n"));
            let (head, _) = connection.receive(true);
            assert!(head.starts_with(&format!("http/1.1 {status} ")), "{framing}: {head}");
        }
    }
}

#[test]
fn one_connection_may_carry_many_callers() {
    let issuer = Issuer::new(SERVICE);
    let mut connection = Connection::to(serve(&issuer));
    let ask = |bearer: Option<&str>| {
        let authorization =
            bearer.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
        format!("GET /optional HTTP/1.1\r\nhost: a\r\n{authorization}\r\n")
    };
    let (ada, bob) = (issuer.as_user().name("Ada").token(), issuer.as_user().name("Bob").token());
    // All at once: what one of them proved is not the next one's.
    connection.send(&[ask(Some(&ada)), ask(None), ask(Some(&bob)), ask(Some("x")), ask(Some(&ada))].concat());
    for name in ["Ada", "nobody", "Bob", "nobody", "Ada"] {
        assert_eq!(connection.receive(true).1, name);
    }
}

#[test]
fn head_answers_as_get_does_but_for_the_body() {
    let issuer = Issuer::new(SERVICE);
    let mut connection = Connection::to(serve(&issuer));
    let token = issuer.as_user().name("Ada").token();
    let mut ask = |method: &str, path: &str| {
        let authorization = format!("authorization: Bearer {token}");
        connection.send(&format!("{method} {path} HTTP/1.1\r\nhost: a\r\n{authorization}\r\n\r\n"));
        let (head, _) = connection.receive(method == "GET");
        let lines = head.lines().filter(|line| !line.starts_with("date:"));
        lines.map(str::to_owned).collect::<std::collections::BTreeSet<_>>()
    };
    for (path, status) in [("/anyone", "200"), ("/user", "200"), ("/admin", "403")] {
        let of_get = ask("GET", path);
        assert!(of_get.iter().any(|line| line.starts_with(&format!("http/1.1 {status} "))), "{of_get:?}");
        assert_eq!(ask("HEAD", path), of_get);
    }
}
