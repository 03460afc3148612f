//! Writes mails to files, for a platform without an SMTP server.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::send_error::SendError;

/// A directory of mails, readable only by its owner.
#[derive(Clone, Debug)]
pub(super) struct MailDirectory(PathBuf);

impl MailDirectory {
    /// Creates the directory if it is missing. If that fails, each mail tries it again.
    pub(super) fn open(path: &Path) -> Self {
        let directory = Self(path.to_owned());
        if let Err(error) = directory.create() {
            tracing::warn!(%error, "the directory of mails can't be created");
        }
        directory
    }

    fn create(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0)
    }

    /// Writes a mail to `<id>.eml`. A full disk counts as an unreachable server.
    pub(super) async fn write(&self, id: Uuid, mail: Vec<u8>) -> Result<(), SendError> {
        let directory = self.clone();
        let written = tokio::task::spawn_blocking(move || directory.write_now(id, &mail)).await;
        match written {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(SendError::Unreachable(format!(
                "the file can't be written: {error}"
            ))),
            Err(error) => Err(SendError::Unreachable(error.to_string())),
        }
    }

    /// Writes, syncs and renames: after a power failure the file is complete or absent.
    fn write_now(&self, id: Uuid, mail: &[u8]) -> io::Result<()> {
        self.create()?;
        let unfinished = self.0.join(format!("{id}.unfinished"));
        let write = || {
            let mut file = OpenOptions::new()
                .create(true)
                .write(true)
                .truncate(true)
                .mode(0o600)
                .open(&unfinished)?;
            file.write_all(mail)?;
            file.sync_all()?;
            fs::rename(&unfinished, self.0.join(format!("{id}.eml")))?;
            File::open(&self.0)?.sync_all()
        };
        write().inspect_err(|_| drop(fs::remove_file(&unfinished)))
    }
}
