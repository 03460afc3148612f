//! The client of inventory-service. Every call may be repeated: inventory-service gives the same answer again.

use std::collections::HashMap;

use auth::{CallError, ServiceClient, ServiceResponse};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use crate::domain::Line;

/// Reserves, releases and commits stock.
#[derive(Clone, Debug)]
pub(crate) struct Inventory(pub ServiceClient);

/// The answer to a reservation.
#[derive(Debug)]
pub(crate) enum ReserveOutcome {
    /// All lines of the order are reserved.
    Reserved,
    /// Nothing is reserved. Maps each product that is short to its available quantity.
    InsufficientStock(HashMap<Uuid, i64>),
    /// The order was released before, so it can never be reserved.
    Released,
}

/// A call whose outcome is unknown. It has to be repeated.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InventoryError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("status {status} {code}")]
    UnexpectedResponse { status: u16, code: String },
}

/// The members of a problem (RFC 9457) that matter here. Missing ones are empty.
#[derive(Default, Deserialize)]
struct Rejection {
    code: String,
    #[serde(default)]
    short: Vec<ShortProduct>,
}

#[derive(Deserialize)]
struct ShortProduct {
    product_id: Uuid,
    available: i64,
}

impl Inventory {
    /// Whether calls currently fail at once, without being sent.
    pub(crate) fn is_circuit_open(&self) -> bool {
        self.0.circuit_open_for().is_some()
    }

    /// Reserves all lines of an order, or none.
    pub(crate) async fn reserve(
        &self,
        order_id: Uuid,
        lines: &[Line],
    ) -> Result<ReserveOutcome, InventoryError> {
        let items: Vec<_> = lines
            .iter()
            .map(|line| json!({"product_id": line.product_id, "quantity": line.quantity}))
            .collect();
        let response = self
            .0
            .post("/reservations")
            .json(&json!({"order_id": order_id, "items": items}))
            .idempotent()
            .send()
            .await?;

        let rejection = match response.status() {
            201 => return Ok(ReserveOutcome::Reserved),
            409 => rejection(&response),
            _ => return Err(unexpected(&response)),
        };
        match rejection.code.as_str() {
            "insufficient_stock" => {
                let short = rejection.short.iter();
                let short = short.map(|product| (product.product_id, product.available));
                Ok(ReserveOutcome::InsufficientStock(short.collect()))
            }
            "released" => Ok(ReserveOutcome::Released),
            _ => Err(unexpected(&response)),
        }
    }

    /// Returns the reserved stock of an order, if there is any. Afterwards the order can't be reserved any more, not even by a
    /// call that is still under way.
    pub(crate) async fn release(&self, order_id: Uuid) -> Result<(), InventoryError> {
        let path = format!("/reservations/{order_id}");
        let response = self.0.delete(&path).send().await?;
        if response.status() == 204 {
            Ok(())
        } else {
            Err(unexpected(&response))
        }
    }

    /// Takes the reserved stock of an order out of the warehouse.
    pub(crate) async fn commit(&self, order_id: Uuid) -> Result<(), InventoryError> {
        let path = format!("/reservations/{order_id}/commit");
        let response = self.0.post(&path).idempotent().send().await?;
        if response.status() == 200 {
            Ok(())
        } else {
            Err(unexpected(&response))
        }
    }
}

fn rejection(response: &ServiceResponse) -> Rejection {
    response.json().unwrap_or_default()
}

fn unexpected(response: &ServiceResponse) -> InventoryError {
    InventoryError::UnexpectedResponse {
        status: response.status(),
        code: rejection(response).code,
    }
}
