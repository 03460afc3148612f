//! The reservation of one order.

use chrono::{DateTime, Utc};
use garde::Validate;
use serde::{Deserialize, Serialize};
use service_kit::RequestError;
use utoipa::ToSchema;
use uuid::Uuid;

const MAX_LINES: usize = 50;

auth::services! {
    /// The only service that makes, commits and releases reservations.
    pub(crate) OrderService = "order-service";
}

/// One line of a reservation: a product and its quantity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    /// The id of the product.
    #[garde(skip)]
    #[serde(deserialize_with = "service_kit::canonical_uuid")]
    #[schema(example = "019b76da-a800-7c31-8e2f-5d0a9b7c4e11")]
    pub product_id: Uuid,
    /// How many are reserved.
    #[garde(range(min = 1, max = 10_000))]
    #[schema(minimum = 1, maximum = 10_000, example = 2)]
    pub quantity: i64,
}

/// The body of a request that reserves stock for an order.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewReservation {
    /// The id of the order.
    #[garde(custom(not_nil))]
    #[schema(example = "019b76da-a800-7d42-9b3c-7e1f8a6d5c22")]
    #[serde(deserialize_with = "service_kit::canonical_uuid")]
    pub order_id: Uuid,
    /// The items. Each product may appear once.
    #[garde(length(min = 1, max = MAX_LINES), dive)]
    #[schema(min_items = 1, max_items = 50)]
    #[serde(deserialize_with = "service_kit::object_list")]
    items: Vec<Line>,
}

/// A valid [`NewReservation`]: no product appears twice, and items are sorted by product, which is the order of locks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReservationRequest {
    pub order_id: Uuid,
    pub items: Vec<Line>,
}

impl TryFrom<NewReservation> for ReservationRequest {
    type Error = RequestError;

    fn try_from(NewReservation { order_id, mut items }: NewReservation) -> Result<Self, RequestError> {
        let repeated = items.iter().enumerate().find(|(index, line)| {
            items
                .iter()
                .take(*index)
                .any(|earlier| earlier.product_id == line.product_id)
        });
        if let Some((index, _)) = repeated {
            let field = format!("items[{index}].product_id");
            return Err(RequestError::field(&field, "must not appear twice"));
        }
        items.sort_unstable_by_key(|line| line.product_id);
        Ok(Self { order_id, items })
    }
}

/// The state of a reservation. Clients only see the states of successful ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub(crate) enum State {
    /// The stock is set aside.
    Reserved,
    /// At least one product was short, so nothing was set aside.
    #[serde(skip)]
    Refused,
    /// The stock has left the warehouse. Final.
    Committed,
    /// The order was cancelled, before or after it was reserved. Final.
    #[serde(skip)]
    Released,
}

/// The reservation of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Reservation {
    /// The id of the order.
    #[schema(example = "019b76da-a800-7d42-9b3c-7e1f8a6d5c22")]
    pub order_id: Uuid,
    /// The state.
    pub state: State,
    /// The items, sorted by product id.
    #[schema(min_items = 1, max_items = 50)]
    pub items: Vec<Line>,
    /// When the reservation was made.
    pub created_at: DateTime<Utc>,
    /// The products that were short when the reservation was refused.
    #[serde(skip)]
    pub short: Vec<Shortage>,
}

/// A product of which less was available than requested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Shortage {
    /// The id of the product.
    #[schema(example = "019b76da-a800-7c31-8e2f-5d0a9b7c4e11")]
    pub product_id: Uuid,
    /// How many were requested.
    #[schema(minimum = 1, maximum = 10_000, example = 2)]
    pub requested: i64,
    /// How many were available.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64, example = 1)]
    pub available: i64,
}

/// A malformed id in a path becomes the nil UUID, so no reservation may be stored under it.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "garde expects this signature")]
fn not_nil(id: &Uuid, _: &()) -> garde::Result {
    if id.is_nil() {
        return Err(garde::Error::new("must not be the nil UUID"));
    }
    Ok(())
}
