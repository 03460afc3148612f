//! SHA-256, for values that are compared or looked up by their hash.

use aws_lc_rs::digest;

/// The SHA-256 hash of `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}
