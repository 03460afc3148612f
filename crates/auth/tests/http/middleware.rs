//! Middleware for a whole scope of an application that has no route list.

use auth::{Authorize, FromService, Policy, is_admin, require, verify_token};

use super::*;

/// The name of the user, whom the middleware has authenticated already.
async fn name(VerifyToken(user): VerifyToken) -> String {
    user.name().to_owned()
}

async fn caller(caller: FromService<OrderService>) -> String {
    caller.into_service().name().to_owned()
}

/// Scopes behind each middleware: in each, `/plain` names no extractor and `/name` takes the user.
pub(super) fn scopes(config: &mut ServiceConfig) {
    let mut scope = |path: &'static str, middleware: Authorize| {
        config.service(
            web::scope(path)
                .wrap(middleware)
                .route("/plain", web::get().to(|| async { "plain" }))
                .route("/name", web::get().to(name)),
        );
    };
    scope("/verify-token", verify_token());
    scope("/is-admin", is_admin());
    scope("/authorize", authorize(["support", "admin"]));
    scope("/scope", require(Policy::Scope("things:read")));
    scope("/optional", require(Policy::Optional));
    scope("/anyone", require(Policy::Anyone));
    scope("/custom", require(Policy::Custom("client")));
    config.service(
        web::scope("/order-service")
            .wrap(require(Policy::Service("order-service")))
            .route("/plain", web::get().to(|| async { "plain" }))
            .route("/name", web::get().to(caller)),
    );
}

#[actix_web::test]
async fn middleware_requires_a_valid_token() {
    let issuer = Issuer::new(SERVICE);
    let app = app!(issuer, scopes);
    for scope in [
        "/verify-token",
        "/is-admin",
        "/authorize",
        "/scope",
        "/order-service",
    ] {
        for path in ["plain", "name", "unknown"] {
            let path = format!("{scope}/{path}");
            call!(app, get(&path)).assert_no_token();
            call!(app, get_as(&path, "x")).assert_invalid_token();
            for (code, detail, token) in [
                (
                    "token_expired",
                    "The access token has expired.",
                    issuer.as_admin().expired(),
                ),
                (
                    "token_revoked",
                    "The access token was revoked.",
                    issuer.as_admin().revoked(),
                ),
            ] {
                call!(app, get_as(&path, &token.token())).assert_bad_token(code, detail);
            }
        }
    }
}

#[actix_web::test]
async fn middleware_admits_only_callers_that_the_policy_names() {
    let issuer = Issuer::new(SERVICE);
    let app = app!(issuer, scopes);
    let users = [
        (issuer.as_user(), ["/verify-token"].as_slice()),
        (
            issuer.as_user().scope("things:read"),
            &["/verify-token", "/scope"],
        ),
        (
            issuer.as_roles(&["user", "support"]),
            &["/verify-token", "/authorize"],
        ),
        (issuer.as_admin(), &["/verify-token", "/authorize", "/is-admin"]),
    ];
    let services = [
        (issuer.as_service("order-service"), ["/order-service"].as_slice()),
        (issuer.as_service("gateway"), &[]),
    ];
    for (caller, admitted) in users.into_iter().chain(services) {
        let name = if caller.claims().is_service() {
            caller.claims().sub.clone()
        } else {
            "Ada".to_owned()
        };
        let token = caller.name("Ada").token();
        for scope in [
            "/verify-token",
            "/is-admin",
            "/authorize",
            "/scope",
            "/order-service",
        ] {
            for (path, text) in [("plain", "plain"), ("name", &name)] {
                let answer = call!(app, get_as(&format!("{scope}/{path}"), &token));
                if admitted.contains(&scope) {
                    answer.assert(200, text);
                    assert_eq!(answer.header("cache-control"), Some("no-store"));
                } else {
                    answer.assert_forbidden((scope == "/scope").then_some("things:read"));
                }
            }
        }
    }
}

#[actix_web::test]
async fn an_optional_or_absent_policy_admits_anonymous_callers() {
    let issuer = Issuer::new(SERVICE);
    let app = app!(issuer, scopes);

    call!(app, get("/optional/plain")).assert(200, "plain");
    call!(app, get_as("/optional/plain", "x")).assert(200, "plain");
    call!(app, get("/optional/name")).assert_no_token();

    let answer = call!(app, get("/anyone/plain"));
    answer.assert(200, "plain");
    assert_eq!(answer.header("cache-control"), None);
    let ada = issuer.as_user().name("Ada").token();
    call!(app, get_as("/anyone/name", &ada)).assert(200, "Ada");
}

#[actix_web::test]
async fn a_custom_policy_refuses_all_tokens() {
    let issuer = Issuer::new(SERVICE);
    let app = app!(issuer, scopes);
    for token in [issuer.as_admin(), issuer.as_service("order-service")] {
        call!(app, get_as("/custom/plain", &token.token())).assert_no_token();
    }
}

/// Revokes the session that is calling, between the middleware and the handler.
async fn revoke(
    request: actix_web::dev::ServiceRequest,
    next: actix_web::middleware::Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let id = request.headers().get("x-session").unwrap().to_str().unwrap();
    let session = Revocation::Session {
        id: id.parse().unwrap(),
        expires_at: i64::MAX,
    };
    request.app_data::<Data<Revocations>>().unwrap().apply(session);
    next.call(request).await
}

#[actix_web::test]
async fn a_handler_behind_middleware_does_not_verify_the_token_again() {
    let issuer = Issuer::new(SERVICE);
    let app = app!(issuer, |config| {
        config.app_data(Data::new(issuer.revocations().clone()));
        config.service(
            web::scope("/account")
                .wrap(actix_web::middleware::from_fn(revoke))
                // The middleware that is added last runs first.
                .wrap(verify_token())
                .route("", web::get().to(name)),
        );
    });
    let ada = issuer.as_user().name("Ada");
    let session = ada.claims().sid.unwrap().to_string();
    let request = || get_as("/account", &ada.token()).insert_header(("x-session", session.clone()));

    call!(app, request()).assert(200, "Ada");
    call!(app, request()).assert_bad_token("token_revoked", "The access token was revoked.");
}

#[actix_web::test]
async fn a_scope_with_its_own_verifier_does_not_trust_that_of_the_application() {
    let (customers, employees) = (Issuer::new(SERVICE), Issuer::new(SERVICE));
    let app = app!(customers, |config| {
        config.service(
            web::scope("").wrap(verify_token()).service(
                web::scope("/staff")
                    .app_data(Data::new(employees.verifier()))
                    .wrap(is_admin())
                    .route("", web::get().to(name)),
            ),
        );
    });
    let customer = customers.as_admin().token();
    call!(app, get_as("/staff", &customer))
        .assert_bad_token("invalid_token", "The access token is not valid.");
}

async fn principals(
    user: VerifyToken,
    by_role: HasRole<Admin>,
    by_any: AnyRole<(Support, Admin)>,
    by_scope: HasScope<ReadThings>,
    admin: IsAdmin,
) -> String {
    // Each derefs to the user, and gives the user out.
    let ids = [user.id(), by_role.id(), by_any.id(), by_scope.id(), admin.id()];
    let users = [
        user.into_user(),
        by_role.into_user(),
        by_any.into_user(),
        by_scope.into_user(),
        admin.into_user(),
    ];
    assert_eq!(users.each_ref().map(auth::User::id), ids);
    let [user, ..] = users;
    user.name().to_owned()
}

#[actix_web::test]
async fn all_extractors_give_their_principal_in_the_same_way() {
    let issuer = Issuer::new(SERVICE);
    let app = app!(issuer, |config| {
        config.route("/principals", web::get().to(principals));
    });
    let ada = issuer.as_admin().name("Ada").scope("things:read").token();
    call!(app, get_as("/principals", &ada)).assert(200, "Ada");
}
