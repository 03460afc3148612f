//! How passwords are hashed.

use std::num::NonZeroUsize;

use argon2::Params;
use service_kit::Env;

use super::argon2id::{MAX_LANES, MAX_MEMORY_KIB, MAX_PASSES};

const MAX_SLOTS: NonZeroUsize = NonZeroUsize::new(1_024).unwrap();
const MAX_QUEUE: usize = 65_536;

/// How passwords are hashed.
#[derive(Clone, Debug)]
pub struct HashingConfig {
    /// How many passwords are hashed at once (`HASH_SLOTS`): 1 to 1024. Defaults to half the cores.
    pub slots: NonZeroUsize,
    /// How many passwords may wait for a slot (`HASH_QUEUE`): up to 65536. Defaults to 64.
    pub queue: usize,
    /// The cost of one hash (`ARGON2_MEMORY_KIB`, `ARGON2_PASSES`, `ARGON2_LANES`). Defaults to 19 MiB, 2 passes and 1 lane.
    pub cost: Params,
}

impl Default for HashingConfig {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            slots: NonZeroUsize::new(cores / 2).unwrap_or(NonZeroUsize::MIN),
            queue: 64,
            cost: Params::DEFAULT,
        }
    }
}

impl HashingConfig {
    /// Reads the variables, and reports problems to `env`.
    pub(crate) fn read(env: &mut Env) -> Self {
        let default = Self::default();

        Self {
            slots: env.number("HASH_SLOTS", default.slots, NonZeroUsize::MIN..=MAX_SLOTS),
            queue: env.number("HASH_QUEUE", default.queue, 0..=MAX_QUEUE),
            cost: read_cost(env, &default.cost),
        }
    }
}

fn read_cost(env: &mut Env, default: &Params) -> Params {
    let passes = env.number("ARGON2_PASSES", default.t_cost(), 1..=MAX_PASSES);
    let lanes = env.number("ARGON2_LANES", default.p_cost(), 1..=MAX_LANES);
    // RFC 9106 §3.1: each lane needs at least 8 KiB.
    let memory = env.number("ARGON2_MEMORY_KIB", default.m_cost(), 8 * lanes..=MAX_MEMORY_KIB);
    // Never fails: all three numbers are in their ranges.
    Params::new(memory, passes, lanes, None).unwrap_or_else(|_| default.clone())
}
