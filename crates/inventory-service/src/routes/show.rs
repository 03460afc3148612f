//! Looking at the stock of a product.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use auth::Anyone;
use db::Db;
use service_kit::{Id, etag};

use crate::domain::Stock;
use crate::error::InventoryError;
use crate::products::Products;
use crate::store::Stocks;

/// `GET /inventory/{id}`: what there is of a product. One that was never stocked has zeros, and null for when that changed.
#[utoipa::path(
    get, path = "/inventory/{id}", tag = "inventory",
    params(("id" = Uuid, Path, description = "the product's id"), ("if-none-match" = Option<String>, Header)),
    responses(
        (status = 200, body = Stock, headers(("etag" = String))),
        (status = 304, description = "what `If-None-Match` names is still so"),
        (status = 404, description = "no such product; what there is of one that was taken down is still told"),
        (status = 503, description = "`product_service_unavailable`: whether there is such a product can't be said now"),
    ),
)]
pub async fn show(
    _: Anyone,
    id: Id,
    request: HttpRequest,
    db: Data<Db>,
    products: Data<Products>,
) -> Result<HttpResponse, InventoryError> {
    let kept = Stocks(&mut db.read().await?).find(id.0).await?;

    // What has stock is known here, whatever becomes of product-service.
    let stock = match kept {
        Some(stock) => stock,
        None => products
            .owner_of(id.0)
            .await?
            .map(|_| Stock::none_of(id.0))
            .ok_or(InventoryError::NoProduct)?,
    };
    Ok(etag::respond(&request, stock.tag(), &stock))
}
