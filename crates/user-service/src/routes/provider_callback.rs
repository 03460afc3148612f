//! Finishing a login at a provider.

use actix_web::http::header::{ACCEPT, CACHE_CONTROL, HeaderValue, LOCATION};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use auth::Anyone;
use db::Db;
use garde::Validate;
use serde::Deserialize;
use service_kit::{Problem as _, Query};
use utoipa::openapi::schema::AnyOfBuilder;
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use crate::context::RequestContext;
use crate::cookies::{SessionCookies, SessionKind};
use crate::domain::Identity;
use crate::error::UserError;
use crate::openid::{Finished, Login, OpenId, PendingLogin, ProviderAnswer};
use crate::sessions::{CookieSession, SessionResponse, Sessions, TokenPair};

/// The parameters that a provider adds to the URL (RFC 6749 §4.1.2, RFC 9207 §2). Others are ignored.
#[derive(Deserialize, Validate, IntoParams)]
#[garde(allow_unvalidated)]
#[into_params(parameter_in = Query)]
pub struct Answer {
    /// The `state` of the login.
    #[param(max_length = 43, example = "the-state-of-the-login")]
    state: Option<String>,
    /// The code that this service exchanges for tokens of the provider.
    #[param(max_length = 2048, example = "a-code")]
    code: Option<String>,
    /// The provider.
    #[param(max_length = 300, example = "https://accounts.google.com")]
    iss: Option<String>,
    /// Why the provider did not log the user in.
    #[param(max_length = 100, example = "access_denied")]
    error: Option<String>,
    /// `cookie`: sets cookies instead of having the tokens in the body.
    #[param(inline)]
    session: Option<SessionKind>,
}

impl Answer {
    fn of_provider(&self) -> ProviderAnswer<'_> {
        ProviderAnswer {
            code: self.code.as_deref(),
            issuer: self.iss.as_deref(),
            error: self.error.as_deref(),
        }
    }
}

/// The schema of the response: that of a login, or the linked account.
#[derive(Debug)]
pub(crate) struct CallbackResponse;

impl PartialSchema for CallbackResponse {
    fn schema() -> RefOr<Schema> {
        let any = AnyOfBuilder::new()
            .description(Some(
                "The tokens, what a page may know of them, or the linked account.",
            ))
            .item(Ref::from_schema_name(TokenPair::name()))
            .item(Ref::from_schema_name(CookieSession::name()))
            .item(Ref::from_schema_name(Identity::name()));
        RefOr::T(Schema::AnyOf(any.build()))
    }
}

impl ToSchema for CallbackResponse {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        SessionResponse::schemas(schemas);
        schemas.push((Identity::name().into_owned(), Identity::schema()));
        Identity::schemas(schemas);
    }
}

/// `GET /auth/{provider}/callback`: finishes a login at a provider, which sent the browser here. A browser that began with `return_to`
/// goes to that page; also after an error, whose code is then in the parameter `error`, if it accepts HTML (`Accept: text/html`). If the
/// login has expired or its cookie is missing, the page is unknown.
#[utoipa::path(
    get, path = "/auth/{provider}/callback", tag = "auth", operation_id = "finish_provider_login",
    params(("provider" = String, Path, description = "The name of the provider", pattern = "^[a-z0-9-]+$", max_length = 32, example = "google"), Answer),
    responses(
        (status = 200, body = CallbackResponse, description = "without `return_to`: the tokens, as after a login with a password; or the identity, if the login was to link one", headers(("set-cookie" = String, description = "removes the login cookie; sets the access cookie and the refresh cookie, if the response has no tokens"))),
        (
            status = 303,
            description = "to `return_to`: with the tokens in cookies, or after linking, or with `error` if the login failed",
            headers(
                ("location" = String, description = "the page in `return_to`"),
                ("set-cookie" = String, description = "removes the login cookie; sets the access cookie and the refresh cookie after a login"),
            ),
        ),
        (
            status = 400,
            description = "`provider_login_expired`: this browser began no such login, or finished it already. `provider_refused`: the provider did not log the user in. `email_missing`: the provider shares no email address",
        ),
        (status = 403, description = "`account_disabled`"),
        (status = 404, description = "`provider_not_found`"),
        (status = 409, description = "`email_taken`: an account has this address, and it can't be joined because not both sides verified the address. `identity_taken`: another user has linked it. `email_not_verified`: only a user who has verified the address can link accounts"),
        (status = 502, description = "`provider_error`: the provider's answer is not valid"),
        (status = 503, description = "`provider_unavailable`: the provider can't be reached", headers(("retry-after" = u32))),
    ),
)]
#[tracing::instrument(skip_all)]
pub async fn provider_callback(
    _: Anyone,
    Query(answer): Query<Answer>,
    request: HttpRequest,
    openid: Data<OpenId>,
    db: Data<Db>,
    sessions: Data<Sessions>,
    context: RequestContext,
) -> Result<HttpResponse, UserError> {
    let provider = openid.provider(&request)?;
    let found = openid.cookie.read(request.headers(), context.time());
    let is_answered = |pending: &PendingLogin| {
        pending.provider == provider.name() && answer.state.as_ref() == Some(&pending.state)
    };
    // The answer to another login must not cancel the login of this browser.
    let keeps_cookie = found.as_ref().is_some_and(|pending| !is_answered(pending));
    let pending = found.filter(is_answered).ok_or(UserError::ProviderLoginExpired);

    let mut response = match pending {
        Ok(pending) => {
            let login = Login {
                openid: &openid,
                db: &db,
                sessions: &sessions,
                provider,
                pending: &pending,
                context: &context,
            };
            let outcome = login.finish(answer.of_provider()).await;
            respond(outcome, &pending, &answer, &openid.session_cookies, &request)
        }
        Err(error) => HttpResponse::from_error(error),
    };
    if !keeps_cookie {
        response
            .add_cookie(&openid.cookie.removal())
            .map_err(UserError::internal)?;
    }
    Ok(response)
}

/// The response after an outcome of this login.
fn respond(
    outcome: Result<Finished, UserError>,
    pending: &PendingLogin,
    answer: &Answer,
    cookies: &SessionCookies,
    request: &HttpRequest,
) -> HttpResponse {
    match (outcome, &pending.return_to) {
        (Ok(Finished::LoggedIn(pair)), Some(page)) => {
            let mut response = redirect(page.as_str());
            cookies.set(&mut response, &pair);
            response
        }
        (Ok(Finished::LoggedIn(pair)), None) if answer.session.is_some() || pending.is_in_cookies() => {
            pair.respond_in(cookies)
        }
        (Ok(Finished::LoggedIn(pair)), None) => pair.respond(),
        (Ok(Finished::Linked(_)), Some(page)) => redirect(page.as_str()),
        (Ok(Finished::Linked(identity)), None) => HttpResponse::Ok()
            .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
            .json(identity),
        (Err(error), Some(page)) if prefers_html(request) => {
            let (status, code) = error.parts();
            if status.is_server_error() {
                tracing::error!(?error, "a login at a provider failed");
            }
            redirect(&page.with_error(code))
        }
        (Err(error), _) => HttpResponse::from_error(error),
    }
}

fn redirect(url: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((LOCATION, url))
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .finish()
}

/// Whether the client is a browser that shows a page, and not a program that reads problem details.
fn prefers_html(request: &HttpRequest) -> bool {
    let accept = request
        .headers()
        .get(ACCEPT)
        .and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}
