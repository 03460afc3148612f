//! Placing an order: look up prices, write the order together with its stock task in one transaction, then reserve the stock.

use std::time::Duration;

use actix_web::rt;
use auth::{Clock, TraceContext};
use db::Db;
use service_kit::id;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::domain::{
    Basket, IdempotencyKey, LEASE, Order, OrderStatus, PricedBasket, StockTask, StockTaskKind,
};
use crate::error::OrderError;
use crate::products::Products;
use crate::stock::StockSync;
use crate::store::{IdempotencyKeys, Orders, StockTasks};

/// Deadline for answering; after it the order is returned as `pending`. Shorter than the gateway's timeout of 10 seconds.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(8);
/// How often a repeated request checks whether the first one has finished.
const POLL_INTERVAL: Duration = Duration::from_millis(25);

/// Places orders.
#[derive(Clone, Debug)]
pub(crate) struct Checkout {
    pub db: Db,
    pub products: Products,
    pub stock: StockSync,
    pub clock: Clock,
}

/// A user's request to place an order.
#[derive(Debug)]
pub(crate) struct OrderRequest {
    pub user_id: Uuid,
    pub key: Option<IdempotencyKey>,
    pub basket: Basket,
}

/// An order in its current state.
pub(crate) struct PlacedOrder {
    pub order: Order,
    /// Whether an earlier request with the same idempotency key placed it.
    pub is_replayed: bool,
}

impl Checkout {
    /// Places the order, or returns the one that was placed earlier with the same idempotency key.
    pub(crate) async fn place(&self, request: &OrderRequest) -> Result<PlacedOrder, OrderError> {
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        if let Some(id) = self.find_earlier(request).await? {
            return self.replay(id, deadline).await;
        }

        let products = self.products.find(request.basket.product_ids()).await?;
        let priced = request.basket.priced(&products)?;

        let Some((order, task)) = self.persist(request, priced).await? else {
            // A concurrent request with the same key was faster.
            let id = self.find_earlier(request).await?.ok_or(OrderError::NotFound)?;
            return self.replay(id, deadline).await;
        };
        tracing::info!(order.id = %order.id, user.id = %order.user_id, "order placed");

        // From here on the order is never lost. Errors leave it `pending`, and the worker finishes it.
        self.reserve_until(deadline, task).await;
        let order = self.find(order.id).await.unwrap_or(order);
        Ok(PlacedOrder {
            order,
            is_replayed: false,
        })
    }

    /// Writes the order, its idempotency key and its stock task, which is leased to this request. Returns `None`, and writes
    /// nothing, if the key is taken.
    async fn persist(
        &self,
        request: &OrderRequest,
        priced: PricedBasket,
    ) -> Result<Option<(Order, StockTask)>, OrderError> {
        let now = self.clock.now();
        let order = Order {
            id: id::new(now),
            user_id: request.user_id,
            status: OrderStatus::Pending,
            items: priced.lines,
            total_cents: priced.total_cents,
            currency: priced.currency,
            created_at: now,
            updated_at: now,
        };

        let mut tx = self.db.begin().await?;
        // The order first: the key's row refers to it. A taken key rolls both back.
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

    /// Reserves the stock, and waits for that until the deadline. The reservation is a separate task, which goes on afterwards.
    async fn reserve_until(&self, deadline: Instant, task: StockTask) {
        let stock = self.stock.clone();
        let reservation = rt::spawn(TraceContext::inherit(async move {
            stock.execute_or_defer(task).await;
        }));
        drop(timeout_at(deadline, reservation).await);
    }

    /// The order that was placed with the request's idempotency key.
    async fn find_earlier(&self, request: &OrderRequest) -> Result<Option<Uuid>, OrderError> {
        let Some(key) = &request.key else { return Ok(None) };
        let mut conn = self.db.read().await?;
        let earlier = IdempotencyKeys(&mut conn)
            .find(request.user_id, key, self.clock.now())
            .await?;
        match earlier {
            Some(earlier) if earlier.request_hash != request.basket.hash() => {
                Err(OrderError::IdempotencyMismatch)
            }
            earlier => Ok(earlier.map(|earlier| earlier.order_id)),
        }
    }

    /// Returns an earlier order as soon as it is settled, so that concurrent requests with one key get one answer. Returns it
    /// as `pending` at the deadline, or once the first attempt to reserve its stock has failed or its lease has expired.
    async fn replay(&self, id: Uuid, deadline: Instant) -> Result<PlacedOrder, OrderError> {
        loop {
            // Read before the order: an attempt that ends between the two reads has settled the order by the second one.
            let is_in_progress = self.is_in_progress(id).await?;
            let order = self.find(id).await?;
            if order.status != OrderStatus::Pending || !is_in_progress || Instant::now() >= deadline {
                return Ok(PlacedOrder {
                    order,
                    is_replayed: true,
                });
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    async fn find(&self, id: Uuid) -> Result<Order, OrderError> {
        Orders(&mut self.db.read().await?)
            .find(id)
            .await?
            .ok_or(OrderError::NotFound)
    }

    /// Whether the first attempt to reserve the order's stock is still running.
    async fn is_in_progress(&self, id: Uuid) -> Result<bool, OrderError> {
        let mut conn = self.db.read().await?;
        Ok(StockTasks(&mut conn)
            .is_first_attempt(id, self.clock.now())
            .await?)
    }
}
