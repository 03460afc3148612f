//! The service and its callers, as responses describe them.

use auth::User;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// The service, for everyone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct About {
    /// The name of the service.
    #[schema(max_length = 100, example = "example-service")]
    pub service: &'static str,
    /// The version of the service.
    #[schema(max_length = 100, example = "0.1.0")]
    pub version: &'static str,
}

/// A user, as their token describes them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct UserCaller {
    /// The id of the user.
    #[schema(example = "019b76da-a800-7a10-8c7e-2f0d4b6e1a01")]
    pub user_id: Uuid,
    /// The roles of the user.
    #[schema(max_items = 100, pattern = "^[!-~]+$", example = json!(["user"]))]
    pub roles: Vec<String>,
}

impl From<&User> for UserCaller {
    fn from(user: &User) -> Self {
        Self {
            user_id: user.id(),
            roles: user.roles().to_vec(),
        }
    }
}

/// A service, as its token describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct ServiceCaller {
    /// The name of the calling service.
    #[schema(max_length = 100, example = "order-service")]
    pub service: String,
}
