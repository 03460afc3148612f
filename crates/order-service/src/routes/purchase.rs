//! Whether a user bought a product, for other services.

use actix_web::web::{Data, Json};
use auth::IsService;
use db::Db;
use garde::Validate;
use serde::{Deserialize, Serialize};
use service_kit::{Id, Query};
use utoipa::{IntoParams, ToSchema};

use crate::domain::OrderStatus;
use crate::error::OrderError;
use crate::store::Orders;

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PurchaseQuery {
    /// The id of the user.
    #[garde(skip)]
    #[param(value_type = Uuid, example = "019b76da-a800-7a10-8c7e-2f0d4b6e1a01")]
    user_id: Id,
    /// The id of the product.
    #[garde(skip)]
    #[param(value_type = Uuid, example = "019b76da-a800-7c31-8e2f-5d0a9b7c4e11")]
    product_id: Id,
}

/// Whether a user bought a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Purchase {
    /// Whether the product is in a fulfilled order of the user. A confirmed order does not count: its user can still cancel it.
    #[schema(example = true)]
    purchased: bool,
}

/// `GET /internal/purchases`: returns whether a user bought a product. An unknown user or product was not bought.
#[utoipa::path(
    get, path = "/internal/purchases", tag = "internal", operation_id = "get_purchase", params(PurchaseQuery),
    responses((status = 200, body = Purchase)),
)]
#[tracing::instrument(skip_all, fields(caller = caller.name(), user.id = %query.user_id, product.id = %query.product_id))]
pub async fn purchase(
    IsService(caller): IsService,
    Query(query): Query<PurchaseQuery>,
    db: Data<Db>,
) -> Result<Json<Purchase>, OrderError> {
    let purchased = Orders(&mut db.read().await?)
        .any_contains(query.user_id.0, query.product_id.0, OrderStatus::Fulfilled)
        .await?;

    Ok(Json(Purchase { purchased }))
}
