//! What product-service is asked: whose a product is, if there is one.

use auth::{CallError, ServiceClient};
use serde::Deserialize;
use uuid::Uuid;

/// The catalogue.
#[derive(Clone, Debug)]
pub(crate) struct Products(pub ServiceClient);

/// Why product-service could not say.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProductsError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("an answer of status {0}")]
    Status(u16),
}

/// What of a product matters here.
#[derive(Debug, Deserialize)]
struct Product {
    owner_id: Uuid,
}

impl Products {
    /// The product's owner, or `None` where there is no such product.
    pub(crate) async fn owner_of(&self, id: Uuid) -> Result<Option<Uuid>, ProductsError> {
        let answer = self
            .0
            .get(&format!("/products/{id}"))
            .without_token()
            .send()
            .await?;
        match answer.status() {
            200 => Ok(Some(answer.json::<Product>()?.owner_id)),
            404 => Ok(None),
            status => Err(ProductsError::Status(status)),
        }
    }
}
