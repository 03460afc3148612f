//! Listing reviews.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use auth::Anyone;
use db::Db;
use garde::Validate;
use serde::Deserialize;
use service_kit::{Id, Page, Paging, Query, etag};
use utoipa::IntoParams;
use uuid::Uuid;

use crate::domain::Review;
use crate::error::ReviewError;
use crate::store::Reviews;

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Only reviews of this product.
    #[garde(skip)]
    #[param(value_type = Option<Uuid>)]
    product_id: Option<Id>,
}

/// `GET /reviews`: lists reviews, newest first.
#[utoipa::path(
    get, path = "/reviews", tag = "reviews", operation_id = "list_reviews", params(ListQuery, Paging),
    responses(
        (status = 200, body = Page<Review>, headers(("etag" = String))),
        (status = 304, description = "the page has not changed since the version in `If-None-Match`"),
    ),
)]
pub async fn list(
    _: Anyone,
    Query(query): Query<ListQuery>,
    paging: Paging,
    request: HttpRequest,
    db: Data<Db>,
) -> Result<HttpResponse, ReviewError> {
    let product_id = query.product_id.map(Uuid::from);
    let reviews = Reviews(&mut db.read().await?)
        .list(product_id, paging.cursor, paging.limit())
        .await?;

    let page = Page::of(reviews, paging.limit(), |review| review.id);
    Ok(etag::respond(&request, etag::of_content(&page), &page))
}
