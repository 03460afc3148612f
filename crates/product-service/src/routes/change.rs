//! Changing a product.

use actix_web::http::header::{ETAG, IF_MATCH};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use auth::{Clock, VerifyToken};
use db::Db;
use service_kit::{Body, Id, etag};

use crate::domain::{Product, ProductChange};
use crate::error::ProductError;
use crate::store::Products;

/// `PATCH /products/{id}`: changes what is named in the body.
#[utoipa::path(
    patch, path = "/products/{id}", tag = "products", request_body = ProductChange,
    params(("id" = Uuid, Path), ("if-match" = Option<String>, Header, description = "change only this version")),
    responses(
        (status = 200, body = Product, headers(("etag" = String))),
        (status = 403, description = "neither its owner nor an admin"),
        (status = 404, description = "no such product"),
        (status = 412, description = "not the version that `If-Match` names"),
        (status = 422, description = "a field is not valid"),
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
        return Err(ProductError::NotYours);
    }
    if !etag::allows_change(&request, &product.tag())? {
        return Err(ProductError::ChangedMeanwhile);
    }

    // Somebody else may change it between the reading and the writing. Whoever named a version is told; whoever did not
    // changes what they named and leaves the rest as it is by then.
    let version = request
        .headers()
        .contains_key(IF_MATCH)
        .then_some(product.version);
    let changed = Products(&mut tx)
        .change(product.id, version, &change, clock.now())
        .await?;
    let product = changed.ok_or(match version {
        Some(_) => ProductError::ChangedMeanwhile,
        None => ProductError::NotFound,
    })?;
    tx.commit().await?;

    Ok(HttpResponse::Ok()
        .insert_header((ETAG, product.tag()))
        .json(product))
}
