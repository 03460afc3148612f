//! What inventory-service is told. Each of it may be told again: the same answer comes.

use std::collections::HashMap;

use auth::{CallError, ServiceClient, ServiceResponse};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use crate::domain::Line;

/// The stock.
#[derive(Clone, Debug)]
pub(crate) struct Inventory(pub ServiceClient);

/// What became of a reservation.
#[derive(Debug)]
pub(crate) enum Reservation {
    /// It stands.
    Made,
    /// There is too little: so much of each product that is short.
    Refused(HashMap<Uuid, i64>),
    /// It was released before it was made, and never will be.
    Released,
}

/// Why it is not known what became of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InventoryUnavailable {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("status {status} {code}")]
    Answer { status: u16, code: String },
}

/// A refusal (RFC 9457), with what is short where that is why.
#[derive(Default, Deserialize)]
struct AuthError {
    code: String,
    #[serde(default)]
    short: Vec<Short>,
}

#[derive(Deserialize)]
struct Short {
    product_id: Uuid,
    available: i64,
}

impl Inventory {
    /// Whether every call would fail at once.
    pub(crate) fn is_left_alone(&self) -> bool {
        self.0.circuit_open_for().is_some()
    }

    /// Keeps what was ordered for this order.
    pub(crate) async fn reserve(
        &self,
        order_id: Uuid,
        lines: &[Line],
    ) -> Result<Reservation, InventoryUnavailable> {
        let items: Vec<_> = lines
            .iter()
            .map(|line| json!({"product_id": line.product_id, "quantity": line.quantity}))
            .collect();
        let body = json!({"order_id": order_id, "items": items});
        let answer = self
            .0
            .post("/reservations")
            .json(&body)
            .idempotent()
            .send()
            .await?;
        let refusal = match answer.status() {
            201 => return Ok(Reservation::Made),
            409 => refusal(&answer),
            _ => return Err(unexpected(&answer)),
        };
        match refusal.code.as_str() {
            "insufficient_stock" => {
                let short = refusal
                    .short
                    .iter()
                    .map(|short| (short.product_id, short.available));
                Ok(Reservation::Refused(short.collect()))
            }
            "released" => Ok(Reservation::Released),
            _ => Err(unexpected(&answer)),
        }
    }

    /// Gives back what is kept for this order, if anything is.
    pub(crate) async fn release(&self, order_id: Uuid) -> Result<(), InventoryUnavailable> {
        let answer = self.0.delete(&format!("/reservations/{order_id}")).send().await?;
        if answer.status() == 204 {
            Ok(())
        } else {
            Err(unexpected(&answer))
        }
    }

    /// Says that what was kept for this order has left.
    pub(crate) async fn commit(&self, order_id: Uuid) -> Result<(), InventoryUnavailable> {
        let answer = self
            .0
            .post(&format!("/reservations/{order_id}/commit"))
            .idempotent()
            .send()
            .await?;
        if answer.status() == 200 {
            Ok(())
        } else {
            Err(unexpected(&answer))
        }
    }
}

fn refusal(answer: &ServiceResponse) -> AuthError {
    answer.json().unwrap_or_default()
}

fn unexpected(answer: &ServiceResponse) -> InventoryUnavailable {
    InventoryUnavailable::Answer {
        status: answer.status(),
        code: refusal(answer).code,
    }
}
