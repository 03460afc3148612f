//! The client of product-service, which knows the owner of each product.

use auth::{CallError, ServiceClient};
use serde::Deserialize;
use uuid::Uuid;

/// Looks up products.
#[derive(Clone, Debug)]
pub(crate) struct Products(pub ServiceClient);

/// Why a product can't be looked up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProductsError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("unexpected status {0}")]
    Status(u16),
}

/// The members of a product that matter here.
#[derive(Debug, Deserialize)]
struct Product {
    owner_id: Uuid,
}

impl Products {
    /// The owner of a product, or `None` if there is no such product.
    pub(crate) async fn owner_of(&self, id: Uuid) -> Result<Option<Uuid>, ProductsError> {
        let path = format!("/products/{id}");
        // The catalogue is public. Without a token, the call works even while user-service is down.
        let response = self.0.get(&path).without_token().send().await?;
        match response.status() {
            200 => Ok(Some(response.json::<Product>()?.owner_id)),
            404 => Ok(None),
            status => Err(ProductsError::Status(status)),
        }
    }
}
