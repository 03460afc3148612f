//! Listing and searching products.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use auth::Anyone;
use db::Db;
use garde::Validate;
use serde::{Deserialize, Deserializer};
use service_kit::{Id, Limit, Page, Paging, Query, etag, text};
use utoipa::IntoParams;
use uuid::Uuid;

use crate::domain::{Product, Search};
use crate::error::ProductError;
use crate::store::Products;

const MAX_IDS: usize = 100;

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Only products whose name or description contains this text, in any case. At most 100 characters.
    #[garde(inner(custom(text::line(0, 100))))]
    #[param(max_length = 100)]
    q: Option<String>,
    /// Only products of this user.
    #[garde(skip)]
    #[param(value_type = Option<Uuid>)]
    owner_id: Option<Id>,
    /// Only these products: up to 100 ids, separated by commas. Unknown ids are ignored. With `ids`, `limit` defaults to 100.
    #[garde(inner(length(max = MAX_IDS)))]
    #[serde(default, deserialize_with = "ids")]
    #[param(value_type = Option<String>, max_length = 3_699, pattern = "^[0-9a-f,-]*$")]
    ids: Option<Vec<Id>>,
}

/// `GET /products`: lists products, newest first.
#[utoipa::path(
    get, path = "/products", tag = "products", operation_id = "list_products", params(ListQuery, Paging),
    responses(
        (status = 200, body = Page<Product>, headers(("etag" = String))),
        (status = 304, description = "the page has not changed since the version in `If-None-Match`"),
    ),
)]
pub async fn list(
    _: Anyone,
    Query(query): Query<ListQuery>,
    paging: Paging,
    request: HttpRequest,
    db: Data<Db>,
) -> Result<HttpResponse, ProductError> {
    let limit = match query.ids {
        Some(_) => paging.limit_or(Limit::MAX),
        None => paging.limit(),
    };
    let search = Search {
        text: query.q,
        owner_id: query.owner_id.map(Uuid::from),
        ids: query.ids.map(|ids| ids.into_iter().map(Uuid::from).collect()),
    };

    let products = Products(&mut db.read().await?)
        .list(&search, paging.cursor, limit)
        .await?;

    let page = Page::of(products, limit, |product| product.id);
    Ok(etag::respond(&request, etag::of_content(&page), &page))
}

/// Reads ids that are separated by commas.
fn ids<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Id>>, D::Error> {
    let list = String::deserialize(deserializer)?;
    let ids = list
        .split(',')
        .filter(|id| !id.is_empty())
        .map(str::parse)
        .collect::<Result<_, _>>();
    ids.map(Some)
        .map_err(|_| serde::de::Error::custom("ids must be ids, separated by commas"))
}
