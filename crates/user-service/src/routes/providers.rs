//! Listing the providers that users can log in with.

use actix_web::web::{Data, Json};
use auth::Anyone;
use serde::Serialize;
use service_kit::Page;
use utoipa::ToSchema;

use crate::openid::{OpenId, Provider};

/// A provider of accounts, such as Google.
#[derive(Serialize, ToSchema)]
#[schema(as = Provider)]
pub(crate) struct ProviderResponse {
    /// The name in paths.
    #[schema(max_length = 32, pattern = "^[a-z0-9-]+$", example = "google")]
    name: String,
    /// The name for users.
    #[schema(max_length = 32, example = "Google")]
    display_name: String,
    /// Where to send the browser to log in.
    #[schema(
        format = "uri",
        max_length = 300,
        example = "https://shop.example/auth/google"
    )]
    url: String,
}

/// `GET /auth/providers`: the providers that users can log in with, all on one page.
#[utoipa::path(
    get, path = "/auth/providers", tag = "auth", operation_id = "list_providers",
    responses((status = 200, body = Page<ProviderResponse>)),
)]
pub async fn providers(_: Anyone, openid: Data<OpenId>) -> Json<Page<ProviderResponse>> {
    let response = |provider: &Provider| ProviderResponse {
        name: provider.name().to_owned(),
        display_name: provider.display_name().to_owned(),
        url: format!("{}/auth/{}", openid.public_url, provider.name()),
    };
    Json(Page {
        items: openid.providers.iter().map(response).collect(),
        next_cursor: None,
    })
}
