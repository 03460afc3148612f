//! Deleting a product.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use auth::IsAdmin;
use db::Db;
use service_kit::{Id, etag};

use crate::error::ProductError;
use crate::store::Products;

/// `DELETE /products/{id}`: deletes a product. Orders keep their own copy of its name and price.
#[utoipa::path(
    delete, path = "/products/{id}", tag = "products", operation_id = "delete_product",
    params(("id" = Uuid, Path), ("if-match" = Option<String>, Header, description = "delete only this version")),
    responses(
        (status = 204, description = "the product is deleted"),
        (status = 404, description = "no such product"),
        (status = 412, description = "`If-Match` names another version"),
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
        return Err(ProductError::VersionMismatch);
    }

    // On PostgreSQL another request can change the product after the read above. The admin has not seen that version.
    if !Products(&mut tx).delete(product.id, product.version).await? {
        return Err(ProductError::VersionMismatch);
    }
    tx.commit().await?;

    tracing::info!("product deleted");
    Ok(HttpResponse::NoContent().finish())
}
