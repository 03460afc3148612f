//! The client of product-service.

use std::collections::HashMap;

use auth::{CallError, ServiceClient};
use serde::Deserialize;
use uuid::Uuid;

use crate::domain::Product;

/// Looks up names and prices.
#[derive(Clone, Debug)]
pub(crate) struct Products(pub ServiceClient);

/// Why names and prices can't be looked up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProductsUnavailable {
    #[error("no usable answer")]
    Call(#[from] CallError),
    #[error("status {0}")]
    Status(u16),
    #[error("invalid product {0}")]
    InvalidProduct(Uuid),
}

impl Products {
    /// The products with these ids. Unknown ids are left out.
    pub(crate) async fn find(
        &self,
        ids: impl Iterator<Item = Uuid>,
    ) -> Result<HashMap<Uuid, Product>, ProductsUnavailable> {
        #[derive(Deserialize)]
        struct Page {
            items: Vec<Product>,
        }

        let ids: Vec<_> = ids.map(|id| id.to_string()).collect();
        let path = format!("/products?ids={}", ids.join(","));
        // The catalogue is public. Without a token, orders can be placed even while user-service is down.
        let response = self.0.get(&path).without_token().send().await?;
        if response.status() != 200 {
            return Err(ProductsUnavailable::Status(response.status()));
        }

        let products = response.json::<Page>()?.items;
        // Written into orders and never checked again.
        if let Some(product) = products.iter().find(|product| !product.is_valid()) {
            return Err(ProductsUnavailable::InvalidProduct(product.id));
        }
        Ok(products
            .into_iter()
            .map(|product| (product.id, product))
            .collect())
    }
}
