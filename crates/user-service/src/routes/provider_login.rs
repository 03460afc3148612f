//! Beginning a login at a provider.

use actix_web::http::header::{CACHE_CONTROL, HeaderValue, LOCATION};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use auth::Anyone;
use garde::Validate;
use serde::Deserialize;
use service_kit::Query;
use utoipa::IntoParams;

use crate::context::RequestContext;
use crate::cookies::SessionKind;
use crate::error::UserError;
use crate::openid::{OpenId, Purpose};

#[derive(Deserialize, Validate, IntoParams)]
#[garde(allow_unvalidated)]
#[into_params(parameter_in = Query)]
pub struct ProviderLoginQuery {
    /// The page to which the browser goes after the login: a path, or a URL whose origin is the platform's own or is in `CORS_ORIGINS`.
    /// The tokens are then in cookies. Without it, the response to the callback has the tokens.
    #[param(max_length = 1024, example = "/")]
    return_to: Option<String>,
    /// `cookie`: the response to the callback sets cookies instead of having the tokens in its body.
    #[param(inline)]
    session: Option<SessionKind>,
}

/// `GET /auth/{provider}`: sends the browser to a provider, where the user logs in (OpenID Connect Core §3.1, code flow with PKCE). The
/// provider then sends it to `/auth/{provider}/callback`. Both requests must come from the same browser, within 10 minutes.
#[utoipa::path(
    get, path = "/auth/{provider}", tag = "auth", operation_id = "begin_provider_login",
    params(("provider" = String, Path, description = "The name of the provider", pattern = "^[a-z0-9-]+$", max_length = 32, example = "google"), ProviderLoginQuery),
    responses(
        (
            status = 303,
            description = "to the provider",
            headers(
                ("location" = String, description = "the provider's page to log in"),
                ("set-cookie" = String, description = "an encrypted cookie that binds the login to this browser"),
            ),
        ),
        (status = 400, description = "`invalid_return_to`: not a page to which browsers may be sent"),
        (status = 404, description = "`provider_not_found`"),
        (status = 502, description = "`provider_error`: the provider's answer is not valid"),
        (status = 503, description = "`provider_unavailable`: the provider can't be reached", headers(("retry-after" = u32))),
    ),
)]
#[tracing::instrument(skip_all)]
pub async fn provider_login(
    _: Anyone,
    Query(query): Query<ProviderLoginQuery>,
    request: HttpRequest,
    openid: Data<OpenId>,
    context: RequestContext,
) -> Result<HttpResponse, UserError> {
    let provider = openid.provider(&request)?;
    let return_to = openid.return_to(query.return_to.as_deref())?;
    let in_cookies = return_to.is_some() || query.session.is_some();

    let purpose = Purpose::LogIn { in_cookies };
    let (url, cookie) = openid.begin(provider, purpose, return_to, context.time()).await?;
    Ok(HttpResponse::SeeOther()
        .insert_header((LOCATION, url.as_str()))
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .cookie(cookie)
        .finish())
}
