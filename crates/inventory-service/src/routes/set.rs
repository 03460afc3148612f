//! Setting the stock of a product.

use actix_web::http::header::ETAG;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use auth::VerifyToken;
use service_kit::{Body, Id, etag};

use crate::domain::{Stock, StockCount};
use crate::error::InventoryError;
use crate::stocktaking::Stocktaking;

/// `PUT /inventory/{id}`: sets the quantity on hand, which includes the reserved quantity.
#[utoipa::path(
    put, path = "/inventory/{id}", tag = "inventory", operation_id = "set_stock", request_body = StockCount,
    params(
        ("id" = Uuid, Path, description = "The id of the product", example = "019b76da-a800-7c31-8e2f-5d0a9b7c4e11"),
        ("if-match" = Option<String>, Header, description = "change only this version; `\"0\"` means never stocked"),
    ),
    responses(
        (status = 200, body = Stock, headers(("etag" = String))),
        (status = 403, description = "the caller is neither the product's owner nor an admin"),
        (status = 404, description = "no such product"),
        (status = 409, description = "`below_reserved`: more than that is reserved for orders"),
        (status = 412, description = "`If-Match` names another version"),
        (status = 503, description = "`product_service_unavailable`: the product's owner can't be looked up"),
    ),
)]
#[tracing::instrument(skip_all, fields(product.id = %id, user.id = %user.id()))]
pub async fn set(
    VerifyToken(user): VerifyToken,
    id: Id,
    Body(count): Body<StockCount>,
    request: HttpRequest,
    stocktaking: Data<Stocktaking>,
) -> Result<HttpResponse, InventoryError> {
    stocktaking.authorize(&user, id.0).await?;
    let stock = stocktaking
        .set(&user, id.0, &count, |stock| {
            etag::allows_change(&request, &stock.tag())
        })
        .await?;

    Ok(HttpResponse::Ok().insert_header((ETAG, stock.tag())).json(stock))
}
