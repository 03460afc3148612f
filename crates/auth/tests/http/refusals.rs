//! The realm and the body of a refusal, which the application can choose.

use actix_web::ResponseError as _;
use actix_web::error::InternalError;
use auth::{AuthError, VerifierBuilder};

use super::*;

fn builder() -> VerifierBuilder {
    let issuer = Issuer::new(SERVICE);
    issuer.verifier_builder(Keys::new(issuer.key_set()))
}

/// The responses of each way to guard a route: extractor, middleware and route list.
async fn refusals(builder: VerifierBuilder) -> Vec<ServiceResponse> {
    let app = init_service(
        App::new()
            .app_data(Data::new(builder.build()))
            .route("/extractor", web::get().to(user))
            .service(
                web::scope("/middleware")
                    .wrap(authorize(["admin"]))
                    .route("/", web::get().to(user)),
            )
            .configure(|config| Routes::new().get("/listed", user).configure(config)),
    )
    .await;
    let mut responses = Vec::new();
    for path in ["/extractor", "/middleware/", "/listed"] {
        let request = TestRequest::get().uri(path).to_request();
        responses.push(call_service(&app, request).await.map_into_boxed_body());
    }
    responses
}

#[actix_web::test]
async fn a_challenge_names_the_verifiers_realm() {
    for (realm, quoted) in [("shop", "shop"), (r#"a "b" \c"#, r#"a \"b\" \\c"#)] {
        for response in refusals(builder().realm(realm)).await {
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
            let challenge = response
                .headers()
                .get("www-authenticate")
                .unwrap()
                .to_str()
                .unwrap();
            assert_eq!(challenge, format!(r#"Bearer realm="{quoted}""#));
        }
    }
}

#[actix_web::test]
async fn the_application_answers_refusals_itself() {
    let builder = builder().error_handler(|error: AuthError, request| {
        let body = json!({"oops": error.code(), "at": request.path()});
        let response = HttpResponse::build(error.status_code()).json(body);
        InternalError::from_response(error, response).into()
    });
    for response in refusals(builder).await {
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert!(!response.headers().contains_key("www-authenticate"));
        let at = response.request().path().to_owned();
        let body: Value = serde_json::from_slice(&read_body(response).await).unwrap();
        assert_eq!(body, json!({"oops": "no_token", "at": at}));
    }
}
