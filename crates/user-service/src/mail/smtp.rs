//! Sends mails over SMTP, one connection for each mail. So the phases are separate: what fails before the mail is sent concerns the
//! server, and what fails afterwards may concern the mail.

use std::time::Duration;

use lettre::Message;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use secrecy::ExposeSecret as _;
use tokio::time::timeout;

use super::config::MailConfig;
use super::smtp_url::{Encryption, SmtpUrl};
use super::transport::SendError;

/// How long the server may take to say goodbye, after it has accepted a mail.
const QUIT_TIMEOUT: Duration = Duration::from_secs(1);
/// A server answers with this code when it closes the connection (RFC 5321 §4.2.3).
const CLOSING: u16 = 421;

/// An SMTP server.
pub(super) struct SmtpServer {
    url: SmtpUrl,
    tls: TlsParameters,
    /// How this program introduces itself.
    own_name: ClientId,
    connect_timeout: Duration,
    send_timeout: Duration,
}

impl SmtpServer {
    /// Fails if TLS can't be used.
    pub(super) fn new(url: SmtpUrl, config: &MailConfig) -> Result<Self, Error> {
        Ok(Self {
            tls: TlsParameters::new(url.host.clone())?,
            own_name: ClientId::Domain(config.from.email.domain().to_owned()),
            connect_timeout: config.connect_timeout,
            send_timeout: config.send_timeout,
            url,
        })
    }

    pub(super) async fn send(&self, message: &Message) -> Result<(), SendError> {
        let mut connection = match timeout(self.connect_timeout, self.connect()).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => return Err(SendError::Unreachable(describe(&error))),
            Err(_) => {
                return Err(SendError::Unreachable(
                    "the server did not answer in time".to_owned(),
                ));
            }
        };

        let mail = message.formatted();
        let sent = timeout(self.send_timeout, connection.send(message.envelope(), &mail)).await;
        match sent {
            Ok(Ok(_)) => {
                // The server has accepted the mail, so an error does not matter.
                drop(timeout(QUIT_TIMEOUT, connection.quit()).await);
                Ok(())
            }
            Ok(Err(error)) if is_refusal(&error) => Err(SendError::Rejected(describe(&error))),
            Ok(Err(error)) => Err(SendError::Interrupted(describe(&error))),
            Err(_) => Err(SendError::Interrupted(
                "the server did not accept or refuse the mail in time".to_owned(),
            )),
        }
    }

    /// Connects, encrypts the connection and logs in.
    async fn connect(&self) -> Result<AsyncSmtpConnection, Error> {
        let from_the_start = (self.url.encryption == Encryption::Tls).then(|| self.tls.clone());
        let mut connection = AsyncSmtpConnection::connect_tokio1(
            (self.url.host.as_str(), self.url.port),
            Some(self.connect_timeout),
            &self.own_name,
            from_the_start,
            None,
        )
        .await?;

        let wants_starttls = match self.url.encryption {
            Encryption::StartTls => true,
            Encryption::StartTlsIfOffered => connection.can_starttls(),
            Encryption::Tls | Encryption::None => false,
        };
        if wants_starttls {
            connection.starttls(self.tls.clone(), &self.own_name).await?;
        }
        if let Some(credentials) = &self.url.credentials {
            let password = credentials.password.expose_secret().to_owned();
            let credentials = Credentials::new(credentials.user.clone(), password);
            connection
                .auth(&[Mechanism::Plain, Mechanism::Login], &credentials)
                .await?;
        }
        Ok(connection)
    }
}

impl std::fmt::Debug for SmtpServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SmtpServer").field(&self.url).finish()
    }
}

/// Whether the server refused the mail, or can't take a mail to this address.
fn is_refusal(error: &Error) -> bool {
    match error.status() {
        Some(code) => u16::from(code) != CLOSING,
        None => error.is_client(),
    }
}

/// The error without texts of the server, which may contain an address.
fn describe(error: &Error) -> String {
    match error.status() {
        Some(code) => format!("the server answered {code}"),
        None if error.is_response() => "the server's answer is not SMTP".to_owned(),
        None => error.to_string(),
    }
}
