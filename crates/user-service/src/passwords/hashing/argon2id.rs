//! argon2id (RFC 9106) in reused memory. A hash takes a third less time than with newly allocated memory.

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use aws_lc_rs::constant_time;

use crate::random::{self, NoRandomness};

const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;

// The largest cost of a hash that is computed or compared.
pub(super) const MAX_MEMORY_KIB: u32 = 1024 * 1024;
pub(super) const MAX_PASSES: u32 = 16;
pub(super) const MAX_LANES: u32 = 16;

/// A job for a slot.
pub(super) enum Work {
    Hash { password: String, cost: Params },
    Compare { password: String, hash: String },
}

impl std::fmt::Debug for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Hash { .. } => "Hash",
            Self::Compare { .. } => "Compare",
        })
    }
}

/// The result of a job.
#[derive(Debug)]
pub(super) enum Outcome {
    Hash(String),
    Match(bool),
}

/// Why a password was not hashed or compared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HashingError {
    /// Every slot is taken and the queue is full, or the job waited too long.
    #[error("the hashing queue is full, or a job waited too long")]
    Busy,
    /// The stored hash is malformed, uses another algorithm or costs too much.
    #[error("a stored password hash is invalid: {0}")]
    InvalidStoredHash(&'static str),
    /// A hash could not be computed or encoded.
    #[error("a password can't be hashed: {0}")]
    Internal(&'static str),
    /// There are no random bytes for a salt.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

/// A slot's memory.
#[derive(Default)]
pub(super) struct Memory(Vec<Block>);

impl Memory {
    pub(super) fn run(&mut self, work: Work) -> Result<Outcome, HashingError> {
        match work {
            Work::Hash { password, cost } => self.hash(&password, &cost).map(Outcome::Hash),
            Work::Compare { password, hash } => self.compare(&password, &hash).map(Outcome::Match),
        }
    }

    fn hash(&mut self, password: &str, cost: &Params) -> Result<String, HashingError> {
        let salt: [u8; SALT_BYTES] = random::bytes()?;
        let hash = self.compute(password, &salt, cost)?;
        encode(cost, &salt, &hash)
    }

    fn compare(&mut self, password: &str, hash: &str) -> Result<bool, HashingError> {
        let Stored { cost, salt, hash } = read(hash)?;
        let computed = self.compute(password, salt.as_ref(), &cost)?;
        Ok(constant_time::verify_slices_are_equal(&computed, hash.as_bytes()).is_ok())
    }

    fn compute(
        &mut self,
        password: &str,
        salt: &[u8],
        cost: &Params,
    ) -> Result<[u8; HASH_BYTES], HashingError> {
        let blocks = cost.block_count();
        if self.0.len() < blocks {
            self.0.resize(blocks, Block::default());
        }
        let cost = Params::new(cost.m_cost(), cost.t_cost(), cost.p_cost(), Some(HASH_BYTES))
            .map_err(|_| HashingError::Internal("the parameters are out of range"))?;
        let mut hash = [0; HASH_BYTES];
        Argon2::new(Algorithm::Argon2id, Version::V0x13, cost)
            .hash_password_into_with_memory(password.as_bytes(), salt, &mut hash, &mut self.0)
            .map_err(|_| HashingError::Internal("argon2 refused the parameters or the salt"))?;
        Ok(hash)
    }
}

/// The parts of a stored hash.
struct Stored {
    cost: Params,
    salt: Salt,
    hash: Output,
}

/// Reads a stored hash. Refuses a hash that this service would not make or that costs too much.
fn read(hash: &str) -> Result<Stored, HashingError> {
    let stored = PasswordHash::new(hash).map_err(|_| HashingError::InvalidStoredHash("not in PHC format"))?;
    let cost =
        Params::try_from(&stored).map_err(|_| HashingError::InvalidStoredHash("no argon2 parameters"))?;
    if stored.algorithm.as_str() != "argon2id" || stored.version != Some(Version::V0x13.into()) {
        return Err(HashingError::InvalidStoredHash(
            "not made by version 19 of argon2id",
        ));
    }
    let (Some(salt), Some(hash)) = (stored.salt, stored.hash) else {
        return Err(HashingError::InvalidStoredHash("the salt or the hash is missing"));
    };
    if hash.len() != HASH_BYTES {
        return Err(HashingError::InvalidStoredHash("the hash has another length"));
    }
    // A manipulated database must not make this service run out of memory.
    if cost.m_cost() > MAX_MEMORY_KIB || cost.t_cost() > MAX_PASSES || cost.p_cost() > MAX_LANES {
        return Err(HashingError::InvalidStoredHash("the cost is too high"));
    }
    Ok(Stored { cost, salt, hash })
}

/// The cost of a stored hash.
pub(super) fn cost_of(hash: &str) -> Result<Params, HashingError> {
    read(hash).map(|stored| stored.cost)
}

/// Whether two costs are equal.
pub(super) fn is_same_cost(cost: &Params, other: &Params) -> bool {
    let parts = |cost: &Params| (cost.m_cost(), cost.t_cost(), cost.p_cost());
    parts(cost) == parts(other)
}

/// A hash of this cost that no password has.
pub(super) fn decoy(cost: &Params) -> Result<String, HashingError> {
    encode(
        cost,
        &random::bytes::<SALT_BYTES>()?,
        &random::bytes::<HASH_BYTES>()?,
    )
}

fn encode(cost: &Params, salt: &[u8], hash: &[u8]) -> Result<String, HashingError> {
    let invalid = |_| HashingError::Internal("the hash can't be encoded");
    let params = ParamsString::try_from(cost)
        .map_err(|_| HashingError::Internal("the parameters can't be encoded"))?;
    let encoded = PasswordHash {
        algorithm: argon2::ARGON2ID_IDENT,
        version: Some(Version::V0x13.into()),
        params,
        salt: Some(Salt::new(salt).map_err(invalid)?),
        hash: Some(Output::new(hash).map_err(invalid)?),
    };
    Ok(encoded.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(hash: &str) -> Result<bool, HashingError> {
        Memory::default().compare("correct horse", hash)
    }

    #[test]
    fn a_hash_made_without_reused_memory_matches() {
        let mut memory = Memory::default();
        let cost = Params::new(64, 1, 1, None).unwrap();
        let mut expected = [0; 32];
        Argon2::new(Algorithm::Argon2id, Version::V0x13, cost.clone())
            .hash_password_into(b"password", b"somesalt", &mut expected)
            .unwrap();
        let encoded = encode(&cost, b"somesalt", &expected).unwrap();
        assert!(memory.compare("password", &encoded).unwrap());
        assert!(!memory.compare("passwore", &encoded).unwrap());
    }

    #[test]
    fn a_hash_that_costs_too_much_or_has_another_form_is_refused_without_computing() {
        let cost = Params::new(64, 1, 1, None).unwrap();
        let good = Memory::default().hash("correct horse", &cost).unwrap();
        assert!(compare(&good).unwrap());
        for bad in [
            String::new(),
            "plain text".to_owned(),
            good.replace("m=64", "m=2097152"),
            good.replace("t=1", "t=17"),
            good.replace("p=1", "p=17"),
            good.replace("argon2id", "argon2i"),
            good.replace("v=19", "v=16"),
            good.rsplit_once('$').unwrap().0.to_owned(),
            encode(&cost, b"somesalt", &[7; 16]).unwrap(),
        ] {
            assert!(
                matches!(compare(&bad), Err(HashingError::InvalidStoredHash(_))),
                "{bad}"
            );
        }
    }

    #[test]
    fn the_decoy_matches_no_password() {
        let decoy = decoy(&Params::new(64, 1, 1, None).unwrap()).unwrap();
        assert!(!compare(&decoy).unwrap());
    }
}
