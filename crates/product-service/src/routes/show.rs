//! Reading one product.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use auth::Anyone;
use db::Db;
use service_kit::{Id, etag};

use crate::domain::Product;
use crate::error::ProductError;
use crate::store::Products;

/// `GET /products/{id}`: returns one product.
#[utoipa::path(
    get, path = "/products/{id}", tag = "products", operation_id = "get_product", params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = Product, headers(("etag" = String))),
        (status = 304, description = "the product has not changed since the version in `If-None-Match`"),
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
