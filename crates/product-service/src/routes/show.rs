//! Looking at one product.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use auth::Anyone;
use db::Db;
use service_kit::{Id, etag};

use crate::domain::Product;
use crate::error::ProductError;
use crate::store::Products;

/// `GET /products/{id}`: one product.
#[utoipa::path(
    get, path = "/products/{id}", tag = "products", params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = Product, headers(("etag" = String))),
        (status = 304, description = "what `If-None-Match` names is still so"),
        (status = 404, description = "no such product"),
    ),
)]
pub async fn show(
    _: Anyone,
    id: Id,
    request: HttpRequest,
    db: Data<Db>,
) -> Result<HttpResponse, ProductError> {
    let product = Products(&mut db.read().await?)
        .find(id.0)
        .await?
        .ok_or(ProductError::NotFound)?;

    Ok(etag::respond(&request, product.tag(), &product))
}
