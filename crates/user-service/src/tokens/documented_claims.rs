//! The claims of access tokens and service tokens, as the OpenAPI document describes them.

use utoipa::ToSchema;
use uuid::Uuid;

/// The claims of a user's access token (RFC 9068 §2.2).
#[derive(ToSchema)]
#[schema(as = TokenClaims)]
#[expect(dead_code, reason = "only describes the members")]
pub(crate) struct DocumentedClaims {
    /// The issuer: the URL of the platform.
    #[schema(format = "uri", max_length = 2_000, example = "https://shop.example")]
    iss: String,
    /// The user's id.
    #[schema(example = "019b76da-a800-7a10-8c7e-2f0d4b6e1a01")]
    sub: Uuid,
    /// The audiences.
    #[schema(min_items = 1, max_items = 10, max_length = 200, example = json!(["platform"]))]
    aud: Vec<String>,
    /// When the token expires, in Unix seconds.
    #[schema(minimum = 0, maximum = 253_402_300_799_i64, example = 1_767_226_500)]
    exp: i64,
    /// When the token was issued, in Unix seconds.
    #[schema(minimum = 0, maximum = 253_402_300_799_i64, example = 1_767_225_600)]
    iat: i64,
    /// The id of the token.
    #[schema(min_length = 1, max_length = 200, example = "a-token-id")]
    jti: String,
    /// The client that the token was issued to: the platform.
    #[schema(min_length = 1, max_length = 200, example = "countersign")]
    client_id: String,
    /// The id of the session.
    #[schema(example = "019b76da-a800-7e53-a4d8-1c6b3f9e2d33")]
    sid: Uuid,
    /// The user's epoch: tokens with a lower one than the user now has are revoked.
    #[schema(minimum = -9_007_199_254_740_991_i64, maximum = 9_007_199_254_740_991_i64, example = 0)]
    epoch: i64,
    /// The user's email address.
    #[schema(format = "idn-email", max_length = 254, example = "ada@example.com")]
    email: String,
    /// The user's name.
    #[schema(min_length = 1, max_length = 100, example = "Ada")]
    name: String,
    /// The user's roles.
    #[schema(min_items = 1, max_items = 100, pattern = "^[!-~]+$", example = json!(["user"]))]
    roles: Vec<String>,
    /// The scopes, separated by spaces.
    #[schema(required = false, max_length = 8192, example = "products:write orders:write")]
    scope: String,
}
