//! Writing a review.

use actix_web::HttpResponse;
use actix_web::http::header::LOCATION;
use actix_web::web::Data;
use auth::{Clock, VerifyToken};
use db::Db;
use service_kit::{Body, id};

use crate::domain::{NewReview, Review};
use crate::error::ReviewError;
use crate::orders::Orders;
use crate::store::Reviews;

/// `POST /reviews`: reviews a product that the caller bought. Each user reviews a product once.
#[utoipa::path(
    post, path = "/reviews", tag = "reviews", operation_id = "create_review", request_body = NewReview,
    // Only a user whose order was fulfilled may review the product.
    extensions(("x-requires" = json!(["fulfil_order"]))),
    responses(
        (status = 201, body = Review, headers(("location" = String))),
        (status = 403, description = "`not_purchased`: no order of the caller with the product was fulfilled"),
        (status = 409, description = "`already_reviewed`: the caller has reviewed the product"),
        (status = 503, description = "`order_service_unavailable`: the purchase can't be looked up"),
    ),
)]
#[tracing::instrument(skip_all, fields(product.id = %new.product_id, user.id = %user.id()))]
pub async fn create(
    VerifyToken(user): VerifyToken,
    Body(new): Body<NewReview>,
    orders: Data<Orders>,
    db: Data<Db>,
    clock: Data<Clock>,
) -> Result<HttpResponse, ReviewError> {
    // Before the transaction: the call may take seconds.
    if !orders.has_bought(user.id(), new.product_id).await? {
        return Err(ReviewError::NotPurchased);
    }
    let now = clock.now();
    let review = new.into_review(id::new(now), user.id(), now);

    let mut tx = db.begin().await?;
    if !Reviews(&mut tx).add(&review).await? {
        return Err(ReviewError::AlreadyReviewed);
    }
    tx.commit().await?;

    tracing::info!(review.id = %review.id, "review created");
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/reviews/{}", review.id)))
        .json(review))
}
