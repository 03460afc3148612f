//! Deleting a review.

use actix_web::HttpResponse;
use actix_web::web::Data;
use auth::VerifyToken;
use db::Db;
use service_kit::Id;

use crate::error::ReviewError;
use crate::store::Reviews;

/// `DELETE /reviews/{id}`: deletes a review of the caller or, as an admin, of any user.
#[utoipa::path(
    delete, path = "/reviews/{id}", tag = "reviews", operation_id = "delete_review", params(("id" = Uuid, Path)),
    responses(
        (status = 204, description = "the review is deleted"),
        (status = 403, description = "the caller is neither the author nor an admin"),
        (status = 404, description = "no such review"),
    ),
)]
#[tracing::instrument(skip_all, fields(review.id = %id, user.id = %user.id()))]
pub async fn delete(
    VerifyToken(user): VerifyToken,
    id: Id,
    db: Data<Db>,
) -> Result<HttpResponse, ReviewError> {
    let mut tx = db.begin().await?;

    let review = Reviews(&mut tx).find(id.0).await?.ok_or(ReviewError::NotFound)?;
    if !review.may_be_deleted_by(&user) {
        // Fails if the user may be an admin whose role can't be confirmed at the moment.
        user.require_all_roles()?;
        return Err(ReviewError::NotYours);
    }

    Reviews(&mut tx).delete(review.id).await?;
    tx.commit().await?;

    tracing::info!("review deleted");
    Ok(HttpResponse::NoContent().finish())
}
