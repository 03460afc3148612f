//! Taking a product down.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use auth::IsAdmin;
use db::Db;
use service_kit::{Id, etag};

use crate::error::ProductError;
use crate::store::Products;

/// `DELETE /products/{id}`: takes a product down. Orders keep what was bought.
#[utoipa::path(
    delete, path = "/products/{id}", tag = "products",
    params(("id" = Uuid, Path), ("if-match" = Option<String>, Header, description = "delete only this version")),
    responses(
        (status = 204, description = "it is gone"),
        (status = 404, description = "no such product"),
        (status = 412, description = "not the version that `If-Match` names"),
    ),
)]
#[tracing::instrument(skip_all, fields(product.id = %id, admin.id = %admin.id()))]
pub async fn delete(
    IsAdmin(admin): IsAdmin,
    id: Id,
    request: HttpRequest,
    db: Data<Db>,
) -> Result<HttpResponse, ProductError> {
    let mut tx = db.begin().await?;

    let product = Products(&mut tx)
        .find(id.0)
        .await?
        .ok_or(ProductError::NotFound)?;
    if !etag::allows_change(&request, &product.tag())? {
        return Err(ProductError::ChangedMeanwhile);
    }

    // A change since then makes it another version, which nobody asked to delete.
    if !Products(&mut tx).delete(product.id, product.version).await? {
        return Err(ProductError::ChangedMeanwhile);
    }
    tx.commit().await?;

    tracing::info!("taken down");
    Ok(HttpResponse::NoContent().finish())
}
