//! Secrets that nobody was asked for: made once, kept in `DATA_DIR`, readable by their owner alone.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::GeneralPurpose;
use secrecy::SecretString;

/// The directory, for this program alone as long as this is held.
#[derive(Debug)]
pub(crate) struct Generated {
    directory: PathBuf,
    _lock: File,
}

/// A secret in its file.
pub(crate) struct Secret {
    pub value: SecretString,
    pub file: PathBuf,
    /// Whether it was made just now.
    pub is_fresh: bool,
}

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GeneratedError {
    #[error("another stack is running with {}", .0.display())]
    InUse(PathBuf),
    #[error("{} can't be used: {}", .0.display(), .1)]
    Io(PathBuf, #[source] io::Error),
    #[error("there is no randomness")]
    NoRandomness,
}

impl Generated {
    /// Makes the directory where there is none, and claims it.
    pub(crate) fn open(directory: &Path) -> Result<Self, GeneratedError> {
        let failed = |error| GeneratedError::Io(directory.to_owned(), error);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(failed)?;
        // The services' own working directory may be another one day.
        let directory = fs::canonicalize(directory).map_err(failed)?;
        let lock = private()
            .create(true)
            .append(true)
            .open(directory.join("stack.lock"))
            .map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                directory,
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(GeneratedError::InUse(directory)),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// The secret of this name: so many random bytes in this kind of base64, made where there is none.
    pub(crate) fn secret(
        &self,
        name: &str,
        bytes: usize,
        base64: &GeneralPurpose,
    ) -> Result<Secret, GeneratedError> {
        let file = self.directory.join(name);
        let failed = |error| GeneratedError::Io(file.clone(), error);
        match fs::read_to_string(&file) {
            Ok(text) => {
                return Ok(Secret {
                    value: text.trim_end().into(),
                    file,
                    is_fresh: false,
                });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let mut random = vec![0; bytes];
        rand::fill(&mut random).map_err(|_| GeneratedError::NoRandomness)?;
        let value = base64.encode(random);
        // Whole or not at all, whenever the power fails.
        let unfinished = file.with_extension("unfinished");
        let write = || -> io::Result<()> {
            let mut out = private()
                .create(true)
                .write(true)
                .truncate(true)
                .open(&unfinished)?;
            writeln!(out, "{value}")?;
            out.sync_all()?;
            fs::rename(&unfinished, &file)?;
            File::open(&self.directory)?.sync_all()
        };
        write().map_err(failed)?;
        Ok(Secret {
            value: value.into(),
            file,
            is_fresh: true,
        })
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}
