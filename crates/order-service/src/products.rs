//! What product-service is asked.

use std::collections::HashMap;

use auth::{CallError, ServiceClient};
use serde::Deserialize;
use uuid::Uuid;

use crate::domain::Product;

/// Names and prices.
#[derive(Clone, Debug)]
pub(crate) struct Products(pub ServiceClient);

/// Why there are none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProductsUnavailable {
    #[error("no usable answer")]
    Call(#[from] CallError),
    #[error("status {0}")]
    Status(u16),
    #[error("a product that can't be: {0}")]
    Nonsense(Uuid),
}

impl Products {
    /// The products of these ids. Those that are unknown are left out.
    pub(crate) async fn find(
        &self,
        ids: impl Iterator<Item = Uuid>,
    ) -> Result<HashMap<Uuid, Product>, ProductsUnavailable> {
        #[derive(Deserialize)]
        struct Page {
            items: Vec<Product>,
        }

        let ids: Vec<_> = ids.map(|id| id.to_string()).collect();
        // The catalogue is public: that user-service is away is no reason not to sell.
        let answer = self
            .0
            .get(&format!("/products?ids={}", ids.join(",")))
            .without_token()
            .send()
            .await?;
        if answer.status() != 200 {
            return Err(ProductsUnavailable::Status(answer.status()));
        }
        let products = answer.json::<Page>()?.items;
        if let Some(product) = products.iter().find(|product| !product.is_sensible()) {
            return Err(ProductsUnavailable::Nonsense(product.id));
        }
        Ok(products
            .into_iter()
            .map(|product| (product.id, product))
            .collect())
    }
}
