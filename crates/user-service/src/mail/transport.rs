//! Sends one mail to where mails go.

use std::error::Error;
use std::path::Path;

use lettre::Message;
use uuid::Uuid;

use super::config::{Destination, MailConfig};
use super::files::MailDirectory;
use super::send_error::SendError;
use super::smtp::SmtpServer;

/// Where mails go.
#[derive(Debug)]
pub(super) enum Transport {
    Smtp(SmtpServer),
    Files(MailDirectory),
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
