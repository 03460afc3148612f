//! Verification keys: a published key set (JWKS) that is fetched regularly, a fixed key set or public key, or one shared secret.
//!
//! A [`Key`](key::Key) verifies signatures. A [`KeySet`] holds the keys of one moment and never changes. [`Keys`] holds the
//! current key set, which can be replaced. [`RemoteKeys`] says where and how often a key set is fetched.

mod current;
#[cfg(feature = "jwks")]
mod issuer_metadata;
mod jwk;
mod jwk_set;
pub(crate) mod key;
mod key_set;
mod pem;
mod public_key;
#[cfg(feature = "jwks")]
mod refresh;
#[cfg(feature = "jwks")]
mod remote;
mod secret;
mod small_order;

#[cfg(test)]
mod wycheproof;

pub use self::current::{Keys, RefetchReason};
pub use self::jwk_set::JwksError;
pub use self::key_set::KeySet;
pub use self::pem::PemError;
#[cfg(feature = "jwks")]
pub use self::remote::{RemoteKeys, RemoteKeysError};
pub use self::secret::{SharedSecret, WeakSecret};
