//! Changing a product.

use actix_web::http::header::{ETAG, IF_MATCH};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use auth::{Clock, VerifyToken};
use chrono::{DateTime, Utc};
use db::{Conn, Db};
use service_kit::{Body, Id, etag};

use crate::domain::{Product, ProductChange};
use crate::error::ProductError;
use crate::store::Products;

/// `PATCH /products/{id}`: changes the fields that the body contains.
#[utoipa::path(
    patch, path = "/products/{id}", tag = "products", operation_id = "update_product", request_body = ProductChange,
    params(("id" = Uuid, Path), ("if-match" = Option<String>, Header, description = "change only this version")),
    responses(
        (status = 200, body = Product, headers(("etag" = String))),
        (status = 403, description = "the caller is neither the owner nor an admin"),
        (status = 404, description = "no such product"),
        (status = 412, description = "`If-Match` names another version"),
    ),
)]
#[tracing::instrument(skip_all, fields(product.id = %id, user.id = %user.id()))]
pub async fn change(
    VerifyToken(user): VerifyToken,
    id: Id,
    Body(change): Body<ProductChange>,
    request: HttpRequest,
    db: Data<Db>,
    clock: Data<Clock>,
) -> Result<HttpResponse, ProductError> {
    let mut tx = db.begin().await?;

    let product = Products(&mut tx)
        .find(id.0)
        .await?
        .ok_or(ProductError::NotFound)?;
    if !product.may_be_changed_by(&user) {
        user.require_all_roles()?;
        return Err(ProductError::NotYours);
    }
    if !etag::allows_change(&request, &product.tag())? {
        return Err(ProductError::VersionMismatch);
    }

    let is_conditional = request.headers().contains_key(IF_MATCH);
    let product = apply(&mut tx, &product, &change, is_conditional, clock.now()).await?;
    tx.commit().await?;

    Ok(HttpResponse::Ok()
        .insert_header((ETAG, product.tag()))
        .json(product))
}

/// Writes the change.
///
/// On PostgreSQL another request can change the product after it was read. A conditional change then fails. Any other change
/// writes only the given fields, so that concurrent changes of different fields are all kept.
async fn apply(
    tx: &mut Conn,
    product: &Product,
    change: &ProductChange,
    is_conditional: bool,
    now: DateTime<Utc>,
) -> Result<Product, ProductError> {
    let version = is_conditional.then_some(product.version);
    let changed = Products(tx).change(product.id, version, change, now).await?;
    changed.ok_or(if is_conditional {
        ProductError::VersionMismatch
    } else {
        ProductError::NotFound
    })
}
