//! Reading one review.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use auth::Anyone;
use db::Db;
use service_kit::{Id, etag};

use crate::domain::Review;
use crate::error::ReviewError;
use crate::store::Reviews;

/// `GET /reviews/{id}`: returns one review.
#[utoipa::path(
    get, path = "/reviews/{id}", tag = "reviews", operation_id = "get_review", params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = Review, headers(("etag" = String))),
        (status = 304, description = "the review has not changed since the version in `If-None-Match`"),
        (status = 404, description = "no such review"),
    ),
)]
pub async fn show(
    _: Anyone,
    id: Id,
    request: HttpRequest,
    db: Data<Db>,
) -> Result<HttpResponse, ReviewError> {
    let review = Reviews(&mut db.read().await?)
        .find(id.0)
        .await?
        .ok_or(ReviewError::NotFound)?;

    Ok(etag::respond(&request, etag::of_content(&review), &review))
}
