//! The gateway's own pages: health, and the documentation of the whole platform.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{Method, Response, StatusCode};
use utoipa_swagger_ui::Config;

use crate::body::ResponseBody;
use crate::refusal::Refusal;
use crate::worker::Gateway;

/// Whether this is the path of a health check, which has no rate limit.
pub(crate) fn is_health(path: &str) -> bool {
    ["/health/live", "/health/ready"].contains(&path)
}

/// The page at this path.
///
/// # Errors
/// When there is none, it does not support the method, or it is not ready.
pub(crate) async fn answer(
    gateway: &Gateway,
    method: &Method,
    path: &str,
) -> Result<Response<ResponseBody>, Refusal> {
    let docs_file = path.strip_prefix("/docs/");
    if docs_file.is_none() && !is_health(path) && !["/openapi.json", "/docs"].contains(&path) {
        return Err(Refusal::NotFound);
    }
    if method != Method::GET && method != Method::HEAD {
        return Err(Refusal::Method { allowed: "GET, HEAD" });
    }
    match path {
        "/health/live" => Ok(json(r#"{"status":"live"}"#)),
        "/health/ready" => match gateway.missing() {
            [] => Ok(json(r#"{"status":"ready"}"#)),
            [missing, ..] => Err(Refusal::NotReady { missing }),
        },
        "/openapi.json" => {
            let document = gateway.documents.joined(&gateway.table()).await;
            document.map(json).ok_or(Refusal::NotReady {
                missing: "the documents of the services",
            })
        }
        "/docs" => Ok(redirect("/docs/")),
        _ => docs_page(docs_file.unwrap_or_default()),
    }
}

/// A file of the documentation page.
fn docs_page(file: &str) -> Result<Response<ResponseBody>, Refusal> {
    static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| Arc::new(Config::from("/openapi.json")));
    let file = utoipa_swagger_ui::serve(file, Arc::clone(&CONFIG)).ok().flatten();
    let file = file.filter(|file| !file.gzpipped).ok_or(Refusal::NotFound)?;
    let media_type = HeaderValue::try_from(file.content_type).map_err(|_| Refusal::NotFound)?;
    // Not copied: a client may leave many responses unread.
    let content = match file.bytes {
        Cow::Borrowed(content) => Bytes::from_static(content),
        Cow::Owned(content) => content.into(),
    };
    Ok(page(content, (CONTENT_TYPE, media_type)))
}

fn json(text: impl Into<Bytes>) -> Response<ResponseBody> {
    let mut response = page(
        text.into(),
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
    );
    // The answer is the state of this moment.
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

fn redirect(location: &'static str) -> Response<ResponseBody> {
    let mut response = page(Bytes::new(), (LOCATION, HeaderValue::from_static(location)));
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    response
}

fn page(content: Bytes, (name, value): (HeaderName, HeaderValue)) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::full(content));
    let headers = response.headers_mut();
    headers.insert(name, value);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // A page of another site could otherwise lay its own content over the documentation, and make the user click there.
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("frame-ancestors 'none'"),
    );
    response
}
