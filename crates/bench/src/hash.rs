//! What one password hash costs, as user-service makes it, and as the C library does that distributions have.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
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
        Self {
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, cost),
            memory,
            made: [0; 32],
        }
    }

    /// How long one takes.
    pub(crate) fn time(&mut self) -> Result<Duration, Failure> {
        let Self { argon2, memory, made } = self;
        let begun = Instant::now();
        argon2.hash_password_into_with_memory(PASSWORD.as_bytes(), SALT.as_bytes(), made, memory)?;
        Ok(begun.elapsed())
    }
}

/// libargon2 in a Python of its own: what is linked into this program would have to be called by unsafe code.
#[derive(Debug)]
pub(crate) struct CLibrary {
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    _python: Child,
}

impl CLibrary {
    /// Has it hash once, and compares. None where there is no such library, or no Python.
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
        let (input, output) = input.zip(output).ok_or("a program without input and output")?;
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
                .made
                .iter()
                .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
        {
            return Ok(Some(library));
        }
        Err("libargon2 makes another hash".into())
    }

    /// How long one takes.
    pub(crate) fn time(&mut self) -> Result<Duration, Failure> {
        self.hash().map(|(_, took)| took)
    }

    fn hash(&mut self) -> Result<(String, Duration), Failure> {
        writeln!(self.input)?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let (hash, nanoseconds) = line.trim_end().split_once(' ').ok_or("Python has ended")?;
        Ok((hash.to_owned(), Duration::from_nanos(nanoseconds.parse()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_c_library_makes_the_same_hash_where_there_is_one() {
        let mut ours = Hash::new();
        if let Some(mut library) = CLibrary::open(&mut ours).unwrap() {
            assert!(library.time().unwrap() > Duration::ZERO);
        }
    }
}
