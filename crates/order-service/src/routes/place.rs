//! Placing an order.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue, LOCATION};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, ResponseError as _};
use auth::{HasScope, TraceContext};
use serde_json::json;
use service_kit::{Body, RequestError};

use crate::checkout::{Checkout, OrderRequest, PlacedOrder};
use crate::domain::{Basket, IdempotencyKey, Order, OrderStatus, OrdersWrite};
use crate::error::OrderError;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// `POST /orders`: orders products at their current prices.
#[utoipa::path(
    post, path = "/orders", tag = "orders", operation_id = "place_order", request_body = Basket,
    // An order is only accepted if there is stock.
    extensions(("x-requires" = json!(["set_stock"]))),
    params((
        "idempotency-key" = Option<String>, Header, min_length = 1, max_length = 255,
        description = "1 to 255 visible characters, kept for 24 hours: a repeated request with the same key and body returns the first order",
    )),
    responses(
        (
            status = 201, body = Order, description = "`confirmed`: the stock is reserved",
            headers(("location" = String), ("idempotent-replayed" = Option<bool>)),
        ),
        (
            status = 202, body = Order, description = "`pending`: inventory-service is unavailable; the stock will be reserved later",
            headers(("location" = String), ("idempotent-replayed" = Option<bool>)),
            example = pending_order,
        ),
        (
            status = 409, body = crate::error::OrderConflict, content_type = "application/problem+json",
            description = "`insufficient_stock`: the order is stored as `rejected` (see `order`); `short` lists the short products",
            headers(("location" = String), ("idempotent-replayed" = Option<bool>)),
        ),
        (status = 422, description = "`idempotency_mismatch`: the key was used for a different order"),
        (status = 503, description = "`product_service_unavailable`: product-service is unavailable; nothing was ordered"),
    ),
)]
#[tracing::instrument(skip_all, fields(user.id = %user.id()))]
pub async fn place(
    user: HasScope<OrdersWrite>,
    Body(basket): Body<Basket>,
    request: HttpRequest,
    checkout: Data<Checkout>,
) -> Result<HttpResponse, OrderError> {
    let key = key_of(request.headers())?;
    let request = OrderRequest {
        user_id: user.id(),
        key,
        basket,
    };

    // A separate task, because actix drops the handler when the client disconnects. The order is then placed all the same.
    let placed = actix_web::rt::spawn(TraceContext::inherit(
        async move { checkout.place(&request).await },
    ));

    Ok(respond(placed.await??))
}

/// An example for the document.
fn pending_order() -> serde_json::Value {
    json!({
        "id": "019b76da-a800-7d42-9b3c-7e1f8a6d5c22",
        "user_id": "019b76da-a800-7a10-8c7e-2f0d4b6e1a01",
        "status": "pending",
        "items": [{
            "product_id": "019b76da-a800-7c31-8e2f-5d0a9b7c4e11",
            "name": "Lamp",
            "unit_price_cents": 1999,
            "quantity": 2,
        }],
        "total_cents": 3998,
        "currency": "EUR",
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
    })
}

/// The request's idempotency key, if it has one. More than one is an error.
fn key_of(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, RequestError> {
    let mut keys = headers.get_all(IDEMPOTENCY_KEY);
    let Some(first) = keys.next() else { return Ok(None) };
    let key = first
        .to_str()
        .ok()
        .and_then(IdempotencyKey::parse)
        .filter(|_| keys.next().is_none());
    key.map(Some)
        .ok_or(RequestError::InvalidHeader("Idempotency-Key"))
}

/// The order in its current state, with the HTTP status that belongs to it.
fn respond(PlacedOrder { order, is_replayed }: PlacedOrder) -> HttpResponse {
    let location = HeaderValue::try_from(format!("/orders/{}", order.id));
    let mut response = match order.status {
        OrderStatus::Pending => HttpResponse::Accepted().json(order),
        OrderStatus::Rejected => OrderError::InsufficientStock(Box::new(order)).error_response(),
        OrderStatus::Confirmed | OrderStatus::Fulfilled | OrderStatus::Cancelled => {
            HttpResponse::Created().json(order)
        }
    };
    let headers = response.headers_mut();
    if let Ok(location) = location {
        headers.insert(LOCATION, location);
    }
    if is_replayed {
        headers.insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    response
}
