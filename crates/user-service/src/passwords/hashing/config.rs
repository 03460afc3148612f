//! How passwords are hashed.

use std::num::NonZeroUsize;

use argon2::Params;
use service_kit::Env;

use super::argon2id::{BOUNDS, is_affordable};

const MAX_SLOTS: usize = 1_024;
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

        let memory = env.parse("ARGON2_MEMORY_KIB", default.cost.m_cost(), "a number of KiB");
        let passes = env.parse("ARGON2_PASSES", default.cost.t_cost(), "a number");
        let lanes = env.parse("ARGON2_LANES", default.cost.p_cost(), "a number");

        let slots = env.parse("HASH_SLOTS", default.slots, "a number from 1 to 1024");
        if slots.get() > MAX_SLOTS {
            env.problem("HASH_SLOTS", "must be a number from 1 to 1024");
        }
        let queue = env.parse("HASH_QUEUE", default.queue, "a number up to 65536");
        if queue > MAX_QUEUE {
            env.problem("HASH_QUEUE", "must be a number up to 65536");
        }

        let cost = Params::new(memory, passes, lanes, None)
            .ok()
            .filter(is_affordable);
        if cost.is_none() {
            env.problem(
                "ARGON2_MEMORY_KIB",
                format!("must be {BOUNDS} (ARGON2_PASSES, ARGON2_LANES)"),
            );
        }
        Self {
            slots,
            queue,
            cost: cost.unwrap_or(default.cost),
        }
    }
}
