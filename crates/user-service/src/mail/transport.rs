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
    /// The server can't be reached, or takes no mail from this program. That has nothing to do with the mail.
    #[error("{0}")]
    Unreachable(String),
    /// The server ended the session before it took the mail. That concerns the server, but perhaps only with this mail.
    #[error("{0}")]
    Closed(String),
    /// The server did not answer, or disconnected, before it got the mail.
    #[error("{0}")]
    Interrupted(String),
    /// The server did not answer, or disconnected, after it got the mail. The mail may have been sent.
    #[error("{0}")]
    Unanswered(String),
    /// The server refused the mail for now.
    #[error("{0}")]
    Rejected(String),
    /// The server refused the mail for good, or can't take such a mail.
    #[error("{0}")]
    RejectedPermanently(String),
    /// This service stops, and the server has not been asked to take the mail.
    #[error("the service stops")]
    Stopped,
}

impl SendError {
    /// Whether the mail may have been delivered.
    pub(super) fn may_be_delivered(&self) -> bool {
        matches!(self, Self::Unanswered(_))
    }

    /// The reason in metrics. `None` if there was no attempt.
    pub(super) fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Unreachable(_) | Self::Closed(_) => Some("unreachable"),
            Self::Interrupted(_) | Self::Unanswered(_) => Some("interrupted"),
            Self::Rejected(_) | Self::RejectedPermanently(_) => Some("rejected"),
            Self::Stopped => None,
        }
    }
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

    /// Sends a mail, or writes its file. `id` is that of the mail in the outbox. Does not begin to send after `stop` has ended.
    pub(super) async fn send(
        &self,
        id: Uuid,
        message: &Message,
        stop: impl Future<Output = ()>,
    ) -> Result<(), SendError> {
        match self {
            Self::Smtp(server) => server.send(message, stop).await,
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
