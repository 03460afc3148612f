//! The client of order-service, which knows who bought what.

use auth::{CallError, ServiceClient};
use serde::Deserialize;
use uuid::Uuid;

/// Looks up purchases.
#[derive(Clone, Debug)]
pub(crate) struct Orders(pub ServiceClient);

/// Why a purchase can't be looked up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OrdersError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("unexpected status {0}")]
    Status(u16),
}

#[derive(Debug, Deserialize)]
struct Purchase {
    purchased: bool,
}

impl Orders {
    /// Whether the user bought the product. Calls order-service with the token of this service.
    pub(crate) async fn has_bought(&self, user_id: Uuid, product_id: Uuid) -> Result<bool, OrdersError> {
        let path = format!("/internal/purchases?user_id={user_id}&product_id={product_id}");
        let response = self.0.get(&path).send().await?;
        match response.status() {
            200 => Ok(response.json::<Purchase>()?.purchased),
            status => Err(OrdersError::Status(status)),
        }
    }
}
