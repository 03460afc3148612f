//! Making an order: prices first, then the order with its stock task in one transaction, then the stock.

use std::time::Duration;

use actix_web::rt;
use auth::{Clock, TraceContext};
use db::Db;
use service_kit::id;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::domain::{Basket, IdempotencyKey, LEASE, Order, OrderStatus, Priced, StockTask, StockTaskKind};
use crate::error::OrderError;
use crate::products::Products;
use crate::stock::Stock;
use crate::store::{IdempotencyKeys, Orders, StockTasks};

/// Within this an order has an answer, and be it that it is pending: whoever waits at the gateway waits for 10 seconds.
const PATIENCE: Duration = Duration::from_secs(8);
/// How often a twin looks whether the first is through.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// Makes orders.
#[derive(Clone, Debug)]
pub(crate) struct Checkout {
    pub db: Db,
    pub products: Products,
    pub stock: Stock,
    pub clock: Clock,
}

/// What somebody asks for.
#[derive(Debug)]
pub(crate) struct Request {
    pub user_id: Uuid,
    pub key: Option<IdempotencyKey>,
    pub basket: Basket,
}

/// An order in its present state, and whether it had been made before.
pub(crate) struct Placed {
    pub order: Order,
    pub is_replayed: bool,
}

impl Checkout {
    /// Makes the order, or finds the one that was made with the same key.
    pub(crate) async fn place(&self, request: &Request) -> Result<Placed, OrderError> {
        let deadline = Instant::now() + PATIENCE;
        if let Some(known) = self.find_known(request).await? {
            return self.replay(known, deadline).await;
        }
        let products = self.products.find(request.basket.product_ids()).await?;
        let priced = request.basket.priced(&products)?;

        let Some((order, task)) = self.write_down(request, priced).await? else {
            // A twin was quicker.
            let known = self.find_known(request).await?.ok_or(OrderError::NotFound)?;
            return self.replay(known, deadline).await;
        };
        tracing::info!(order.id = %order.id, user.id = %order.user_id, "written down");
        // The order stands: whatever goes wrong from here on, the worker carries on, and it is pending at the least.
        let stock = self.stock.clone();
        let told = rt::spawn(TraceContext::inherit(
            async move { stock.try_to_work_off(task).await },
        ));
        drop(timeout_at(deadline, told).await);
        let order = self.find(order.id).await.unwrap_or(order);
        Ok(Placed {
            order,
            is_replayed: false,
        })
    }

    /// The order and its task, unless the key was used meanwhile.
    async fn write_down(
        &self,
        request: &Request,
        Priced {
            lines,
            total_cents,
            currency,
        }: Priced,
    ) -> Result<Option<(Order, StockTask)>, OrderError> {
        let now = self.clock.now();
        let order = Order {
            id: id::new(now),
            user_id: request.user_id,
            status: OrderStatus::Pending,
            items: lines,
            total_cents,
            currency,
            created_at: now,
            updated_at: now,
        };
        let mut tx = self.db.begin().await?;
        Orders(&mut tx).add(&order).await?;
        if let Some(key) = &request.key
            && !IdempotencyKeys(&mut tx)
                .claim(&order, key, &request.basket.hash())
                .await?
        {
            return Ok(None);
        }
        let task = StockTasks(&mut tx)
            .add(order.id, StockTaskKind::Reserve, now + LEASE)
            .await?;
        tx.commit().await?;
        Ok(Some((order, task)))
    }

    /// The order that was made with this key, if any was.
    async fn find_known(&self, request: &Request) -> Result<Option<Uuid>, OrderError> {
        let Some(key) = &request.key else { return Ok(None) };
        let mut conn = self.db.read().await?;
        let known = IdempotencyKeys(&mut conn)
            .find(request.user_id, key, self.clock.now())
            .await?;
        match known {
            Some(known) if known.request_hash != request.basket.hash() => {
                Err(OrderError::IdempotencyMismatch)
            }
            known => Ok(known.map(|known| known.order_id)),
        }
    }

    /// The order as it is once whoever makes it is through, or gone, or it is too late to wait any longer.
    async fn replay(&self, id: Uuid, deadline: Instant) -> Result<Placed, OrderError> {
        loop {
            // Asked first, so that what is through by the answer is read as such.
            let is_being_made = self.is_being_made(id).await?;
            let order = self.find(id).await?;
            if order.status != OrderStatus::Pending || !is_being_made || Instant::now() >= deadline {
                return Ok(Placed {
                    order,
                    is_replayed: true,
                });
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn find(&self, id: Uuid) -> Result<Order, OrderError> {
        Orders(&mut self.db.read().await?)
            .find(id)
            .await?
            .ok_or(OrderError::NotFound)
    }

    async fn is_being_made(&self, id: Uuid) -> Result<bool, OrderError> {
        let mut conn = self.db.read().await?;
        Ok(StockTasks(&mut conn)
            .is_first_attempt(id, self.clock.now())
            .await?)
    }
}
