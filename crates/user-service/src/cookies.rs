//! Stub.
use crate::sessions::TokenPair;
use actix_web::HttpResponse;
use serde::Deserialize;
use utoipa::ToSchema;

#[derive(Clone, Copy, Debug)]
pub(crate) struct SessionCookies;
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokensIn {
    Cookie,
}
impl SessionCookies {
    pub(crate) fn respond(self, pair: &TokenPair) -> HttpResponse {
        let _ = pair;
        HttpResponse::Ok().finish()
    }
    pub(crate) fn set(self, response: &mut HttpResponse, pair: &TokenPair) {
        let _ = (response, pair);
    }
}
