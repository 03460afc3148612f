//! The service and its callers, as responses describe them.

use auth::User;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// The service, for everyone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct About {
    pub service: &'static str,
    pub version: &'static str,
}

/// A user, as their token describes them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct UserCaller {
    pub user_id: Uuid,
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
    pub service: String,
}
