//! The pages to which the links in mails lead.
//!
//! The token is in the fragment of the URL, which browsers don't send, so no log contains it. Opening a page changes nothing: programs
//! that check mails open links too. The page's script sends the token when the user presses the button.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, ContentType, REFERRER_POLICY, X_FRAME_OPTIONS,
};
use askama::Template;
use auth::Anyone;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use utoipa::ToSchema;

use crate::domain::sha256;

const STYLE: &str = include_str!("../../templates/pages/style.css");
const SCRIPT: &str = include_str!("../../templates/pages/script.js");

/// Only the page's own script and style work, and the script can only call this platform. No page of another site can show the page in
/// a frame, where the user could press the button without knowing.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = |text: &str| STANDARD.encode(sha256(text.as_bytes()));
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
        hash(SCRIPT),
        hash(STYLE)
    )
});

/// A page in HTML.
#[derive(ToSchema)]
#[schema(as = HtmlPage, max_length = 100_000, example = "<!doctype html><title>Verify your email address</title>")]
#[expect(dead_code, reason = "only describes the body")]
pub(crate) struct HtmlPage(String);

#[derive(Template)]
#[template(path = "pages/verify_email.html")]
struct VerifyEmailPage {
    style: &'static str,
    script: &'static str,
}

#[derive(Template)]
#[template(path = "pages/reset_password.html")]
struct ResetPasswordPage {
    style: &'static str,
    script: &'static str,
}

/// `GET /auth/email/verify`: the page to which a link in a mail leads. A button on it verifies the email address.
#[utoipa::path(
    get, path = "/auth/email/verify", tag = "auth", operation_id = "verify_email_page",
    responses((status = 200, description = "the page", body = HtmlPage, content_type = "text/html"))
)]
pub async fn verify_email_page(_: Anyone) -> HttpResponse {
    respond(&VerifyEmailPage {
        style: STYLE,
        script: SCRIPT,
    })
}

/// `GET /auth/password/reset`: the page to which a link in a mail leads. It asks for the new password.
#[utoipa::path(
    get, path = "/auth/password/reset", tag = "auth", operation_id = "reset_password_page",
    responses((status = 200, description = "the page", body = HtmlPage, content_type = "text/html"))
)]
pub async fn reset_password_page(_: Anyone) -> HttpResponse {
    respond(&ResetPasswordPage {
        style: STYLE,
        script: SCRIPT,
    })
}

fn respond(page: &impl Template) -> HttpResponse {
    let Ok(html) = page.render() else {
        return HttpResponse::InternalServerError().finish();
    };
    HttpResponse::Ok()
        .insert_header(ContentType::html())
        .insert_header((CONTENT_SECURITY_POLICY, POLICY.as_str()))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .insert_header((X_FRAME_OPTIONS, "DENY"))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .body(html)
}
