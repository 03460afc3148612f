//! Guarded scopes, several extractors in one request, and incomplete applications.

use super::*;

fn administration(config: &mut ServiceConfig) {
    let scope = web::scope("/administration")
        .wrap(authorize(["support", "admin"]))
        .configure(|config| {
            config
                .route("/plain", web::get().to(|| async { "plain" }))
                .route("/admin", web::get().to(admin));
            Routes::new()
                .get("/listed", admin)
                .get("/anyone", anyone)
                .configure(config);
        });
    config.service(scope);
    config.service(
        web::scope("/no-roles")
            .wrap(authorize([]))
            .route("", web::get().to(anyone)),
    );
}

#[actix_web::test]
async fn a_guarded_scope_adds_to_the_rules_of_its_handlers() {
    let issuer = Issuer::new(SERVICE);
    let app = app!(issuer, administration);
    let user = issuer.as_user().token();
    let support = issuer.as_roles(&["user", "support"]).token();
    let admin = issuer.as_admin().name("Ada").token();
    let service = issuer.as_service("gateway").token();
    for (path, support_gets, admin_gets) in [
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
        call!(app, get_as(&path, &admin)).assert(200, admin_gets);
        let response = call!(app, get_as(&path, &support));
        match support_gets {
            Some(text) => response.assert(200, text),
            None => response.assert_forbidden(None),
        }
    }
    call!(app, get("/administration/unknown")).assert_no_token();
    assert_eq!(call!(app, get_as("/administration/unknown", &admin)).status, 404);
    call!(app, get_as("/no-roles", &admin)).assert_forbidden(None);
}

/// An argument that revokes the session of the caller.
struct EndsSession;

impl FromRequest for EndsSession {
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        // actix-web creates the futures of all arguments first and then polls them in order.
        Box::pin(async move {
            let id = request
                .headers()
                .get("x-session")
                .unwrap()
                .to_str()
                .unwrap()
                .parse()
                .unwrap();
            let revocations = request.app_data::<Data<Revocations>>().unwrap();
            revocations.apply(Revocation::Session {
                id,
                expires_at: i64::MAX,
            });
            Ok(Self)
        })
    }
}

async fn end(VerifyToken(first): VerifyToken, _: EndsSession, CurrentUser(second): CurrentUser) -> String {
    assert_eq!(Some(first.id()), second.map(|user| user.id()));
    "ended".to_owned()
}

#[actix_web::test]
async fn a_request_is_authenticated_once_for_all_its_extractors() {
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
        call!(app, end()).assert_bad_token("token_revoked", "The access token was revoked.");
    }
}

#[actix_web::test]
async fn a_verifier_without_keys_refuses_everyone_with_503() {
    let issuer = Issuer::new(SERVICE);
    let verifier = issuer.verifier_with(Keys::default());
    let app = init_service(App::new().app_data(Data::new(verifier)).configure(listed)).await;
    let token = issuer.as_admin().token();
    for path in [
        "/user",
        "/admin",
        "/support",
        "/either",
        "/scope",
        "/service",
        "/optional",
    ] {
        let detail = "Access tokens can't be verified yet.";
        call!(app, get_as(path, &token)).assert_problem(503, "keys_unavailable", detail, None);
    }
    call!(app, get_as("/anyone", &token)).assert(200, "anyone");
    call!(app, get("/user")).assert_no_token();
}

#[actix_web::test]
async fn with_a_full_revocation_set_a_route_that_requires_a_withheld_role_responds_with_503() {
    let issuer = Issuer::new(SERVICE);
    let full = Revocations::new(issuer.clock().clone(), 0);
    full.apply(Revocation::Session {
        id: Uuid::new_v4(),
        expires_at: i64::MAX,
    });
    let verifier = issuer
        .verifier_builder(Keys::new(issuer.key_set()))
        .revocations(full)
        .build();
    let app = init_service(App::new().app_data(Data::new(verifier)).configure(listed)).await;
    let admin = issuer.as_admin().token();
    for path in ["/admin", "/either"] {
        let detail = "It is not known whether the access token was revoked.";
        call!(app, get_as(path, &admin)).assert_problem(503, "revocation_unknown", detail, None);
    }
    for path in ["/support", "/scope", "/service"] {
        assert_eq!(
            call!(app, get_as(path, &admin)).status,
            403,
            "{path}: the token does not give it"
        );
    }
    for path in ["/user", "/optional"] {
        assert_eq!(call!(app, get_as(path, &admin)).status, 200, "{path}");
    }
    let service = issuer.as_service("gateway").token();
    call!(app, get_as("/service", &service)).assert(200, "gateway");
}

#[actix_web::test]
async fn an_app_without_a_verifier_refuses_everyone_with_500() {
    let issuer = Issuer::new(SERVICE);
    let apps = [
        init_service(App::new().configure(listed)).await,
        init_service(App::new().configure(plain)).await,
        init_service(App::new().app_data(issuer.verifier()).configure(listed)).await,
    ];
    for app in apps {
        for token in [
            issuer.as_admin().token(),
            issuer.as_service("gateway").token(),
            "x".to_owned(),
        ] {
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
    let response = call!(app, get_as("/administration/plain", &issuer.as_admin().token()));
    response.assert_problem(500, "internal", "Something went wrong.", None);
}
