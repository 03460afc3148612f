//! The report of a verifier about the keys that it holds.

use actix_web::HttpResponse;
use actix_web::web::Data;
use auth::IsService;
use garde::Validate;
use serde::Deserialize;
use service_kit::{Body, Id, text};
use utoipa::ToSchema;

use crate::error::UserError;
use crate::key_rotation::KeyRotation;

/// The keys that a verifier holds.
#[derive(Deserialize, Validate, ToSchema)]
#[garde(allow_unvalidated)]
#[serde(deny_unknown_fields)]
pub struct HeldKeys {
    /// Identifies the verifier among the replicas of its service.
    #[schema(value_type = Uuid, example = "5d3f8a52-1c7b-4e90-9a6d-2b8e4f7c0d55")]
    instance: Id,
    /// The ids of the keys that it holds.
    #[garde(length(max = 32), inner(custom(text::line(1, 200))))]
    #[schema(max_items = 32, min_length = 1, max_length = 200, example = json!(["kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"]))]
    kids: Vec<String>,
}

/// `POST /internal/keys/held`: a verifier reports which keys it holds.
///
/// A rotation of the signing keys waits until every verifier on the revocation feed holds the next key. A verifier reports when it
/// connects, after each event `keys`, and each minute. It no longer counts when it has had no stream and sent no
/// report for 3 minutes.
#[utoipa::path(
    post, path = "/internal/keys/held", tag = "internal", operation_id = "report_held_keys", request_body = HeldKeys,
    responses((status = 204, description = "the report was recorded")),
)]
#[tracing::instrument(skip_all, fields(service.name = caller.name(), service.instance = %held.instance))]
pub async fn held_keys(
    IsService(caller): IsService,
    Body(held): Body<HeldKeys>,
    rotation: Data<KeyRotation>,
) -> Result<HttpResponse, UserError> {
    rotation
        .record_report(caller.name(), held.instance.0, &held.kids)
        .await?;
    Ok(HttpResponse::NoContent().finish())
}
