//! Generated secrets: created once, stored in `DATA_DIR`, readable only by their owner.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::rand;
use secrecy::SecretString;

/// Exclusive use of `DATA_DIR`. Dropping this releases the lock.
#[derive(Debug)]
pub(crate) struct Generated {
    directory: PathBuf,
    _lock: File,
}

/// A secret and its file.
pub(crate) struct Secret {
    pub value: SecretString,
    pub file: PathBuf,
    /// Whether this call generated it.
    pub is_fresh: bool,
}

/// Why a secret can't be read or generated.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GeneratedError {
    #[error("another stack already uses {}", .0.display())]
    InUse(PathBuf),
    #[error("{} can't be used: {}", .0.display(), .1)]
    Io(PathBuf, #[source] io::Error),
    #[error("the system provides no random bytes")]
    NoRandomness,
}

impl Generated {
    /// Creates the directory if it is missing, and locks it.
    pub(crate) fn open(directory: &Path) -> Result<Self, GeneratedError> {
        let failed = |error| GeneratedError::Io(directory.to_owned(), error);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(failed)?;
        // Services get absolute paths, so that these do not depend on a working directory.
        let directory = fs::canonicalize(directory).map_err(failed)?;
        let lock = private_file()
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

    /// Reads the secret with this name. If there is none, generates this number of random bytes, and stores them as the text that `encode`
    /// returns.
    pub(crate) fn secret(
        &self,
        name: &str,
        bytes: usize,
        encode: impl Fn(Vec<u8>) -> String,
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
        let value = encode(random);
        // Write, sync and rename: after a power failure the file is complete or absent.
        let unfinished = file.with_extension("unfinished");
        let write = || -> io::Result<()> {
            let mut out = private_file()
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

/// Encodes bytes as hexadecimal digits. They need no encoding in URLs and in HTTP Basic, and can't contain a word by which services
/// recognise a placeholder.
pub(crate) fn hex(bytes: Vec<u8>) -> String {
    bytes.into_iter().fold(String::new(), |mut text, byte| {
        // Writing to a text can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}
