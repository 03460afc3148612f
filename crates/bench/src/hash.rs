//! What one password hash costs, as user-service makes it, and as the C library does that distributions have.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Block, Params, Version};

use crate::Failure;

const PASSWORD: &str = "correct horse battery staple";
const SALT: &str = "sixteen bytes ok";

/// argon2id of the cost that user-service has by default, with memory that is used again, as its slots do.
pub(crate) struct Hash {
    argon2: Argon2<'static>,
    memory: Vec<Block>,
    made: [u8; 32],
}

impl Hash {
    pub(crate) fn new() -> Self {
        let cost = Params::DEFAULT;
        let memory = vec![Block::default(); cost.block_count()];
        Self { argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, cost), memory, made: [0; 32] }
    }

    /// How long one takes.
    pub(crate) fn time(&mut self) -> Result<Duration, Failure> {
        let Self { argon2, memory, made } = self;
        let begun = Instant::now();
        argon2.hash_password_into_with_memory(PASSWORD.as_bytes(), SALT.as_bytes(), made, memory)?;
        Ok(begun.elapsed())
    }

    /// How long one takes in the program `argon2`, which Debian builds from the C library. None where there is no such program.
    pub(crate) fn time_of_c_library(&self) -> Result<Option<Duration>, Failure> {
        let cost = self.argon2.params();
        let [memory, passes, lanes] = [cost.m_cost(), cost.t_cost(), cost.p_cost()].map(|n| n.to_string());
        let mut command = Command::new("argon2");
        command.args([SALT, "-id", "-l", "32", "-k", &memory, "-t", &passes, "-p", &lanes]);
        let Ok(mut child) = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn() else {
            return Ok(None);
        };
        if let Some(mut input) = child.stdin.take() {
            input.write_all(PASSWORD.as_bytes())?;
        }
        let output = String::from_utf8(child.wait_with_output()?.stdout)?;
        let said = Said::read(&output).ok_or("the program argon2 says something else than it did")?;
        let ours = self.made.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        if said.hash == ours {
            Ok(Some(said.took))
        } else {
            Err("the program argon2 makes another hash".into())
        }
    }
}

/// What the program `argon2` says.
#[derive(Debug, PartialEq)]
struct Said<'o> {
    hash: &'o str,
    took: Duration,
}

impl<'o> Said<'o> {
    fn read(output: &'o str) -> Option<Self> {
        let hash = output.lines().find_map(|line| line.strip_prefix("Hash:"))?.trim();
        let seconds = output.lines().find_map(|line| line.strip_suffix(" seconds"))?;
        Some(Self { hash, took: Duration::try_from_secs_f64(seconds.parse().ok()?).ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_other_program_says_is_understood() {
        let output = "Type:\t\tArgon2id\nMemory:\t\t64 KiB\nHash:\t\t6c07e7\nEncoded:\t$argon2id$v=19\n0.030 seconds\nVerification ok\n";
        assert_eq!(Said::read(output), Some(Said { hash: "6c07e7", took: Duration::from_millis(30) }));
        assert_eq!(Said::read("Error: no"), None);
    }

    #[test]
    fn both_make_the_same_hash() {
        let mut ours = Hash::new();
        ours.time().unwrap();
        // It compares them, where there is another.
        ours.time_of_c_library().unwrap();
    }
}
