//! Saying how much there is of a product.

use actix_web::http::header::ETAG;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use auth::{Clock, VerifyToken};
use db::Db;
use service_kit::{Body, Id, etag};

use crate::domain::{Act, Movement, Stock, StockCount};
use crate::error::InventoryError;
use crate::products::Products;
use crate::store::Stocks;

/// `PUT /inventory/{id}`: says how much there is of a product, with what is promised to orders.
#[utoipa::path(
    put, path = "/inventory/{id}", tag = "inventory", request_body = StockCount,
    params(
        ("id" = Uuid, Path, description = "the product's id"),
        ("if-match" = Option<String>, Header, description = "change only this version; `\"0\"` was never stocked"),
    ),
    responses(
        (status = 200, body = Stock, headers(("etag" = String))),
        (status = 403, description = "neither the product's owner nor an admin"),
        (status = 404, description = "no such product"),
        (status = 409, description = "`below_reserved`: more than that is promised to orders"),
        (status = 412, description = "not the version that `If-Match` names"),
        (status = 422, description = "a field is not valid"),
        (status = 503, description = "`product_service_unavailable`: whose the product is can't be said now"),
    ),
)]
#[tracing::instrument(skip_all, fields(product.id = %id, user.id = %user.id()))]
pub async fn set(
    VerifyToken(user): VerifyToken,
    id: Id,
    Body(count): Body<StockCount>,
    request: HttpRequest,
    db: Data<Db>,
    products: Data<Products>,
    clock: Data<Clock>,
) -> Result<HttpResponse, InventoryError> {
    // Asked before the transaction, which must not wait for a neighbour.
    let owner_id = products.owner_of(id.0).await?.ok_or(InventoryError::NoProduct)?;
    if owner_id != user.id() && !user.is_admin() {
        return Err(InventoryError::NotYours);
    }

    let (actor, at) = (user.id().to_string(), clock.now());
    let set = db.transaction(async |tx| {
        Stocks(tx).begin(id.0, at).await?;
        let stock = Stocks(tx).hold(id.0).await?.ok_or(InventoryError::NoProduct)?;
        if !etag::allows_change(&request, &stock.tag())? {
            return Err(InventoryError::ChangedMeanwhile);
        }
        let movement = Movement::set(count.on_hand - stock.on_hand);
        Stocks(tx)
            .apply(id.0, movement, Act { actor: &actor, at })
            .await?
            .ok_or(InventoryError::BelowReserved)
    });
    let stock = set.await?;

    Ok(HttpResponse::Ok().insert_header((ETAG, stock.tag())).json(stock))
}
