//! Setting the stock of a product.

use auth::{Clock, User};
use db::Db;
use service_kit::RequestError;
use uuid::Uuid;

use crate::domain::{Movement, Origin, Stock, StockCount};
use crate::error::InventoryError;
use crate::products::Products;
use crate::store::Stocks;

/// Sets the stock of products.
#[derive(Clone, Debug)]
pub(crate) struct Stocktaking {
    pub db: Db,
    pub products: Products,
    pub clock: Clock,
}

impl Stocktaking {
    /// Fails unless the user owns the product or is an admin. Calls product-service, which can take seconds, so it is not part
    /// of the transaction in [`set`](Self::set).
    pub(crate) async fn authorize(&self, user: &User, product_id: Uuid) -> Result<(), InventoryError> {
        let owner = self.products.owner_of(product_id).await?;
        let owner = owner.ok_or(InventoryError::ProductNotFound)?;
        if owner == user.id() || user.is_admin() {
            return Ok(());
        }
        user.require_all_roles()?;
        Err(InventoryError::NotYours)
    }

    /// Sets the quantity on hand if the current stock meets the precondition (RFC 9110 §13.1.1). It may not fall below the
    /// reserved quantity.
    pub(crate) async fn set(
        &self,
        user: &User,
        product_id: Uuid,
        count: &StockCount,
        precondition: impl Fn(&Stock) -> Result<bool, RequestError>,
    ) -> Result<Stock, InventoryError> {
        let origin = Origin {
            actor: &user.id().to_string(),
            at: self.clock.now(),
        };
        let set = self.db.transaction(async |tx| {
            // The lock keeps other requests from changing the stock between the check and the update.
            Stocks(tx).insert_if_missing(product_id, origin.at).await?;
            let stock = Stocks(tx).lock(product_id).await?;
            let stock = stock.ok_or(InventoryError::ProductNotFound)?;
            if !precondition(&stock)? {
                return Err(InventoryError::VersionMismatch);
            }

            let movement = Movement::set(count.on_hand - stock.on_hand);
            Stocks(tx)
                .apply(product_id, movement, origin)
                .await?
                .ok_or(InventoryError::BelowReserved)
        });
        set.await
    }
}
