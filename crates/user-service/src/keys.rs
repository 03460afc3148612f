//! What signs: Ed25519 keys of this service's own, encrypted at rest, or the one secret that `JWT_SECRET` holds.

mod seal;
mod signing;

pub use self::seal::KeyEncryptionKey;
pub(crate) use self::seal::{SealError, Seals};
pub(crate) use self::signing::{KeyState, Signer, StoredKey, load_or_make};
