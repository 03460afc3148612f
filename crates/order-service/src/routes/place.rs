//! Ordering.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue, LOCATION};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, ResponseError as _};
use auth::{HasScope, TraceContext};
use service_kit::{Body, RequestError};

use crate::checkout::{Checkout, Placed, Request};
use crate::domain::{Basket, IdempotencyKey, Order, OrderStatus, OrdersWrite};
use crate::error::OrderError;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// `POST /orders`: orders products at their present prices.
#[utoipa::path(
    post, path = "/orders", tag = "orders", request_body = Basket,
    params((
        "idempotency-key" = Option<String>, Header,
        description = "1 to 255 visible characters, kept for a day: the same order again gives the same answer",
    )),
    responses(
        (
            status = 201, body = Order, description = "confirmed: the stock is reserved",
            headers(("location" = String), ("idempotent-replayed" = Option<bool>)),
        ),
        (
            status = 202, body = Order, description = "pending: inventory-service can't be asked, and will be",
            headers(("location" = String), ("idempotent-replayed" = Option<bool>)),
        ),
        (
            status = 409, description = "`insufficient_stock`: kept as `rejected`, in `order`; what is short stands in `short`",
            headers(("location" = String), ("idempotent-replayed" = Option<bool>)),
        ),
        (status = 422, description = "a field is not valid, or (`idempotency_mismatch`) the key was used for another order"),
        (status = 503, description = "product-service can't be asked; nothing was ordered"),
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
    let request = Request {
        user_id: user.id(),
        key,
        basket,
    };

    // A task of its own: whoever hangs up in the middle leaves nothing half done.
    let placed = actix_web::rt::spawn(TraceContext::inherit(
        async move { checkout.place(&request).await },
    ));

    Ok(answer(placed.await??))
}

/// The one key that a request bears, if it bears any.
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

/// The order's present state, with the status that it has.
fn answer(Placed { order, is_replayed }: Placed) -> HttpResponse {
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
