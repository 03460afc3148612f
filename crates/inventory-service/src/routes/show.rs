//! Reading the stock of a product.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use auth::Anyone;
use db::Db;
use service_kit::{Id, etag};

use crate::domain::Stock;
use crate::error::InventoryError;
use crate::products::Products;
use crate::store::Stocks;

/// `GET /inventory/{id}`: returns the stock of a product. A product that was never stocked has zeros, and `updated_at` is null.
#[utoipa::path(
    get, path = "/inventory/{id}", tag = "inventory", operation_id = "get_stock",
    params(("id" = Uuid, Path, description = "The id of the product", example = "019b76da-a800-7c31-8e2f-5d0a9b7c4e11")),
    responses(
        (status = 200, body = Stock, headers(("etag" = String))),
        (status = 304, description = "the stock has not changed since the version in `If-None-Match`"),
        (status = 404, description = "no such product; the stock of a deleted product is still shown"),
        (status = 503, description = "`product_service_unavailable`: the product can't be looked up"),
    ),
)]
pub async fn show(
    _: Anyone,
    id: Id,
    request: HttpRequest,
    db: Data<Db>,
    products: Data<Products>,
) -> Result<HttpResponse, InventoryError> {
    let stock = Stocks(&mut db.read().await?).find(id.0).await?;

    // Only a product that was never stocked is looked up, so that stock can be read while product-service is down.
    let stock = match stock {
        Some(stock) => stock,
        None => products
            .owner_of(id.0)
            .await?
            .map(|_| Stock::never_stocked(id.0))
            .ok_or(InventoryError::ProductNotFound)?,
    };
    Ok(etag::respond(&request, stock.tag(), &stock))
}
