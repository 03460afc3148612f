//! What is promised to one order, or was refused to it.

use auth::Service;
use chrono::{DateTime, Utc};
use garde::Validate;
use serde::{Deserialize, Serialize};
use service_kit::RequestError;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::InventoryError;

const MAX_LINES: usize = 50;

/// Reservations are order-service's alone.
pub(crate) fn require_order_service(caller: &Service) -> Result<(), InventoryError> {
    if caller.is("order-service") {
        Ok(())
    } else {
        Err(InventoryError::NotOrderService)
    }
}

/// So much of one product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    #[garde(skip)]
    pub product_id: Uuid,
    #[garde(range(min = 1, max = 10_000))]
    #[schema(minimum = 1, maximum = 10_000)]
    pub quantity: i64,
}

/// What to reserve for an order.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewReservation {
    #[garde(custom(id_of_an_order))]
    pub order_id: Uuid,
    /// No product may stand here twice.
    #[garde(length(min = 1, max = MAX_LINES), dive)]
    #[schema(min_items = 1, max_items = 50)]
    #[serde(deserialize_with = "service_kit::object_list")]
    items: Vec<Line>,
}

/// The same, known to name no product twice, and in the order of products, which is the order in which they are locked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub order_id: Uuid,
    pub items: Vec<Line>,
}

impl TryFrom<NewReservation> for Wanted {
    type Error = RequestError;

    fn try_from(NewReservation { order_id, mut items }: NewReservation) -> Result<Self, RequestError> {
        let again = items.iter().enumerate().find(|(index, line)| {
            items
                .iter()
                .take(*index)
                .any(|earlier| earlier.product_id == line.product_id)
        });
        if let Some((index, _)) = again {
            let field = format!("items[{index}].product_id");
            return Err(RequestError::field(&field, "must not be named before"));
        }
        items.sort_unstable_by_key(|line| line.product_id);
        Ok(Self { order_id, items })
    }
}

/// What became of what was wanted for an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub(crate) enum State {
    Reserved,
    #[serde(skip)]
    Refused,
    Committed,
    #[serde(skip)]
    Released,
}

/// What is promised to an order, or was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Reservation {
    pub order_id: Uuid,
    pub state: State,
    /// In the order of the products' ids.
    pub items: Vec<Line>,
    pub created_at: DateTime<Utc>,
    /// What it was refused for.
    #[serde(skip)]
    pub short: Vec<Short>,
}

/// A product of which there was too little.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Short {
    pub product_id: Uuid,
    pub requested: i64,
    pub available: i64,
}

impl Reservation {
    /// The answer to whoever wants this, the first time and every time after.
    pub(crate) fn answer_to(self, wanted: &Wanted) -> Result<Self, InventoryError> {
        match self.state {
            State::Released => Err(InventoryError::Released),
            _ if self.items != wanted.items => Err(InventoryError::Mismatch),
            State::Refused => Err(InventoryError::InsufficientStock(self.short)),
            State::Reserved | State::Committed => Ok(self),
        }
    }
}

/// The nil UUID is what a malformed id in a path becomes, so nothing may be kept under it.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that garde calls")]
fn id_of_an_order(id: &Uuid, _: &()) -> garde::Result {
    if id.is_nil() {
        return Err(garde::Error::new("must not be the nil UUID"));
    }
    Ok(())
}
