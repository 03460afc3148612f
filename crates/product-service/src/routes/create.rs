//! Creating a product.

use actix_web::HttpResponse;
use actix_web::http::header::{ETAG, LOCATION};
use actix_web::web::Data;
use auth::{Clock, HasScope};
use db::Db;
use service_kit::{Body, id};

use crate::domain::{NewProduct, Product, ProductsWrite};
use crate::error::ProductError;
use crate::store::Products;

/// `POST /products`: creates a product. The caller owns it.
#[utoipa::path(
    post, path = "/products", tag = "products", operation_id = "create_product", request_body = NewProduct,
    responses(
        (status = 201, body = Product, headers(("location" = String), ("etag" = String))),
    ),
)]
#[tracing::instrument(skip_all, fields(user.id = %user.id()))]
pub async fn create(
    user: HasScope<ProductsWrite>,
    Body(new): Body<NewProduct>,
    db: Data<Db>,
    clock: Data<Clock>,
) -> Result<HttpResponse, ProductError> {
    let now = clock.now();
    let product = new.into_product(id::new(now), user.id(), now);

    let mut tx = db.begin().await?;
    Products(&mut tx).add(&product).await?;
    tx.commit().await?;

    tracing::info!(product.id = %product.id, "product created");
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/products/{}", product.id)))
        .insert_header((ETAG, product.tag()))
        .json(product))
}
