//! Measures one password hash: as user-service computes it, and as libargon2 does.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Block, Params, Version};

use crate::Failure;

const PASSWORD: &str = "correct horse battery staple";
const SALT: &str = "sixteen bytes ok";

/// argon2id with user-service's default cost, and with reused memory like that of its slots.
pub(crate) struct Hash {
    argon2: Argon2<'static>,
    memory: Vec<Block>,
    output: [u8; 32],
}

impl Hash {
    pub(crate) fn new() -> Self {
        let cost = Params::DEFAULT;
        let memory = vec![Block::default(); cost.block_count()];
        Self {
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, cost),
            memory,
            output: [0; 32],
        }
    }

    /// The time of one hash.
    pub(crate) fn time(&mut self) -> Result<Duration, Failure> {
        let Self {
            argon2,
            memory,
            output,
        } = self;
        let started = Instant::now();
        argon2.hash_password_into_with_memory(PASSWORD.as_bytes(), SALT.as_bytes(), output, memory)?;
        Ok(started.elapsed())
    }
}

/// libargon2, called by a Python process: linking it into this program would require unsafe code.
#[derive(Debug)]
pub(crate) struct CLibrary {
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    _python: Child,
}

impl CLibrary {
    /// Starts Python and compares one hash with ours. Returns `None` if the library or Python is missing.
    pub(crate) fn open(ours: &mut Hash) -> Result<Option<Self>, Failure> {
        let cost = Params::DEFAULT;
        let cost = [cost.m_cost(), cost.t_cost(), cost.p_cost()].map(|number| number.to_string());
        let mut command = Command::new("python3");
        command
            .args(["-c", include_str!("libargon2.py"), PASSWORD, SALT])
            .args(cost);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let Ok(mut python) = command.spawn() else {
            return Ok(None);
        };
        let (input, output) = (python.stdin.take(), python.stdout.take());
        let (input, output) = input
            .zip(output)
            .ok_or("python3 has no standard input or output")?;
        let mut library = Self {
            input,
            output: BufReader::new(output),
            _python: python,
        };
        let Ok((hash, _)) = library.hash() else {
            return Ok(None);
        };
        ours.time()?;
        if hash
            == ours
                .output
                .iter()
                .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
        {
            return Ok(Some(library));
        }
        Err("libargon2 computes a different hash".into())
    }

    /// The time of one hash.
    pub(crate) fn time(&mut self) -> Result<Duration, Failure> {
        self.hash().map(|(_, took)| took)
    }

    fn hash(&mut self) -> Result<(String, Duration), Failure> {
        writeln!(self.input)?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let (hash, nanoseconds) = line.trim_end().split_once(' ').ok_or("python3 has ended")?;
        Ok((hash.to_owned(), Duration::from_nanos(nanoseconds.parse()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libargon2_computes_the_same_hash_if_it_is_installed() {
        let mut ours = Hash::new();
        if let Some(mut library) = CLibrary::open(&mut ours).unwrap() {
            assert!(library.time().unwrap() > Duration::ZERO);
        }
    }
}
