//! Verification keys: a published key set (JWKS) that is refetched as its publisher rotates keys, a fixed key set, or one
//! shared secret.

mod current;
mod jwk;
mod jwk_set;
mod key;
mod key_set;
mod refresh;
mod remote;
mod secret;
mod small_order;

#[cfg(test)]
mod wycheproof;

pub use self::current::Keys;
pub use self::jwk_set::JwksError;
pub use self::key_set::KeySet;
pub use self::refresh::Refetch;
pub use self::remote::{RemoteKeys, RemoteKeysError};
pub use self::secret::{SharedSecret, WeakSecret};
