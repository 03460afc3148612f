//! argon2id (RFC 9106) with memory that is used again, a third faster than fresh memory for each hash.

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use aws_lc_rs::{constant_time, rand};

use super::{HashingError, Outcome};

const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;

/// In words, what [`is_bearable`] asks for.
pub(crate) const BOUNDS: &str = "within 8 KiB to 1 GiB of memory, 16 passes and 16 lanes";

/// Whether a cost may be spent. A database that somebody tampered with must not make this service run out of memory.
pub(crate) fn is_bearable(cost: &Params) -> bool {
    cost.m_cost() <= 1024 * 1024 && cost.t_cost() <= 16 && cost.p_cost() <= 16
}

/// What a slot is asked to do.
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
        let salt = random::<SALT_BYTES>()?;
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
            .map_err(|_| HashingError::Unusable("parameters out of range"))?;
        let mut hash = [0; HASH_BYTES];
        Argon2::new(Algorithm::Argon2id, Version::V0x13, cost)
            .hash_password_into_with_memory(password.as_bytes(), salt, &mut hash, &mut self.0)
            .map_err(|_| HashingError::Unusable("argon2 refused it"))?;
        Ok(hash)
    }
}

/// A hash, taken apart.
struct Stored {
    cost: Params,
    salt: Salt,
    hash: Output,
}

/// Reads a stored hash, and refuses what this service would neither make nor compute.
fn read(hash: &str) -> Result<Stored, HashingError> {
    let stored = PasswordHash::new(hash).map_err(|_| HashingError::Unusable("not in PHC format"))?;
    let cost = Params::try_from(&stored).map_err(|_| HashingError::Unusable("no parameters of argon2"))?;
    let is_ours = stored.algorithm.as_str() == "argon2id" && stored.version == Some(Version::V0x13.into());
    let (Some(salt), Some(hash), true) = (stored.salt, stored.hash, is_ours) else {
        return Err(HashingError::Unusable("not argon2id, version 19"));
    };
    if !is_bearable(&cost) {
        return Err(HashingError::Unusable("its cost is absurd"));
    }
    Ok(Stored { cost, salt, hash })
}

/// What a stored hash costs.
pub(super) fn cost_of(hash: &str) -> Result<Params, HashingError> {
    read(hash).map(|stored| stored.cost)
}

/// Whether two costs are one.
pub(super) fn is_same(cost: &Params, other: &Params) -> bool {
    let parts = |cost: &Params| (cost.m_cost(), cost.t_cost(), cost.p_cost());
    parts(cost) == parts(other)
}

/// A hash that no password has, of this cost.
pub(super) fn decoy(cost: &Params) -> Result<String, HashingError> {
    encode(cost, &random::<SALT_BYTES>()?, &random::<HASH_BYTES>()?)
}

fn encode(cost: &Params, salt: &[u8], hash: &[u8]) -> Result<String, HashingError> {
    let unusable = |_| HashingError::Unusable("can't be encoded");
    let params =
        ParamsString::try_from(cost).map_err(|_| HashingError::Unusable("parameters can't be encoded"))?;
    let encoded = PasswordHash {
        algorithm: argon2::ARGON2ID_IDENT,
        version: Some(Version::V0x13.into()),
        params,
        salt: Some(Salt::new(salt).map_err(unusable)?),
        hash: Some(Output::new(hash).map_err(unusable)?),
    };
    Ok(encoded.to_string())
}

fn random<const N: usize>() -> Result<[u8; N], HashingError> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| HashingError::NoRandomness)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(hash: &str) -> Result<bool, HashingError> {
        Memory::default().compare("correct horse", hash)
    }

    #[test]
    fn a_hash_that_another_implementation_made_is_understood() {
        // RustCrypto's and the C library's encoding of argon2id for `password` and the salt `somesalt`, m=64, t=1.
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
    fn a_stored_hash_that_is_absurd_or_foreign_is_refused_and_not_computed() {
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
        ] {
            assert!(matches!(compare(&bad), Err(HashingError::Unusable(_))), "{bad}");
        }
    }

    #[test]
    fn no_password_has_the_decoy() {
        let decoy = decoy(&Params::new(64, 1, 1, None).unwrap()).unwrap();
        assert!(!compare(&decoy).unwrap());
    }
}
