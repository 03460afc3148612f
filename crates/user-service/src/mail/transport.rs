//! Sends one mail to where mails go.

use std::error::Error;
use std::path::Path;

use lettre::Message;
use uuid::Uuid;

use super::config::{Destination, MailConfig};
use super::files::MailDirectory;
use super::smtp::SmtpServer;

/// Where mails go.
#[derive(Debug)]
pub(super) enum Transport {
    Smtp(SmtpServer),
    Files(MailDirectory),
}

/// Why a mail was not sent. The texts contain no address, because they are logged. (An SMTP server's text may contain one.)
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SendError {
    /// The server can't be reached, or does not let this program in. That has nothing to do with the mail.
    #[error("{0}")]
    Unreachable(String),
    /// The server did not answer, or disconnected, while it received the mail. The mail may have been sent.
    #[error("{0}")]
    Interrupted(String),
    /// The server refused the mail.
    #[error("{0}")]
    Rejected(String),
}

impl Transport {
    pub(super) fn new(config: &MailConfig) -> Result<Self, Box<dyn Error>> {
        Ok(match &config.destination {
            Destination::Smtp(url) => Self::Smtp(SmtpServer::new(url.clone(), config)?),
            Destination::Files(path) => {
                report_files(path, &config.public_url);
                Self::Files(MailDirectory::open(path))
            }
        })
    }

    /// Sends a mail, or writes its file. `id` is that of the mail in the outbox.
    pub(super) async fn send(&self, id: Uuid, message: &Message) -> Result<(), SendError> {
        match self {
            Self::Smtp(server) => server.send(message).await,
            Self::Files(directory) => directory.write(id, message.formatted()).await,
        }
    }
}

/// Reports that mails become files. Users of a platform with https wait for their mails, so there it is probably a mistake.
fn report_files(path: &Path, public_url: &str) {
    let directory = path.display();
    if public_url.starts_with("https:") {
        tracing::warn!(%directory, "SMTP_URL is not set: mails are written to files and not sent");
    } else {
        tracing::info!(%directory, "mails are written to files, because SMTP_URL is not set");
    }
}
