//! Sends mails over SMTP, one connection for each mail. So the phases are separate: what fails before the server has accepted the sender
//! concerns the server, and what fails afterwards may concern the mail.

use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter, ServerInfo};
use lettre::{Address, Message};
use secrecy::ExposeSecret as _;
use tokio::time::{Instant, timeout, timeout_at};

use super::config::MailConfig;
use super::send_error::SendError;
use super::smtp_url::{Encryption, SmtpUrl};

/// How long the server may take to say goodbye.
const QUIT_TIMEOUT: Duration = Duration::from_secs(1);
/// A server answers with this code when it closes the connection (RFC 5321 §4.2.3).
const CLOSING: u16 = 421;
/// A server may answer with this code to any command before a login (RFC 4954 §6).
const LOGIN_REQUIRED: u16 = 530;
/// A server refuses parameters with these codes (RFC 5321 §4.1.1.11).
const INVALID_PARAMETERS: [u16; 3] = [501, 504, 555];

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

    /// Sends a mail, unless `stop` ends before the server is ready to take it.
    pub(super) async fn send(
        &self,
        message: &Message,
        stop: impl Future<Output = ()>,
    ) -> Result<(), SendError> {
        let mut connection = tokio::select! {
            biased;
            () = stop => return Err(SendError::Stopped),
            connected = timeout(self.connect_timeout, self.connect()) => match connected {
                Ok(Ok(connection)) => connection,
                Ok(Err(error)) => return Err(SendError::Unreachable(describe(&error))),
                Err(_) => return Err(SendError::Unreachable("the server did not answer in time".to_owned())),
            },
        };
        let sent = self.transfer(&mut connection, message).await;
        if !matches!(sent, Err(SendError::Interrupted(_) | SendError::Unanswered(_))) {
            // The server has accepted or refused the mail, so an error does not matter.
            drop(timeout(QUIT_TIMEOUT, connection.quit()).await);
        }
        sent
    }

    /// Sends a mail over a connection (RFC 5321 §3.3).
    async fn transfer(
        &self,
        connection: &mut AsyncSmtpConnection,
        message: &Message,
    ) -> Result<(), SendError> {
        let deadline = Instant::now() + self.send_timeout;
        let (from, to) = (message.envelope().from(), message.envelope().to());
        let content = message.formatted();
        let parameters = parameters(to, &content, connection.server_info())?;
        let has_parameters = !parameters.is_empty();
        step(deadline, connection.command(Mail::new(from.cloned(), parameters)))
            .await
            .map_err(|failure| failure.at_sender(has_parameters))?;
        for to in to {
            step(deadline, connection.command(Rcpt::new(to.clone(), Vec::new())))
                .await
                .map_err(|failure| failure.at_mail(SendError::Interrupted))?;
        }
        step(deadline, connection.command(Data))
            .await
            .map_err(|failure| failure.at_mail(SendError::Interrupted))?;
        step(deadline, connection.message(&content))
            .await
            .map_err(|failure| failure.at_mail(SendError::Unanswered))
    }

    /// Connects, encrypts the connection and logs in.
    async fn connect(&self) -> Result<AsyncSmtpConnection, Error> {
        let from_the_start = (self.url.encryption == Encryption::Tls).then(|| self.tls.clone());
        let mut connection = AsyncSmtpConnection::connect_tokio1(
            (self.url.host.as_str(), self.url.port),
            // For each address of the host, so that there is time for the next one.
            Some(self.connect_timeout / 4),
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

/// The parameters of MAIL for these recipients and this content (RFC 6531 §3.4, RFC 6152 §2).
fn parameters(to: &[Address], content: &[u8], server: &ServerInfo) -> Result<Vec<MailParameter>, SendError> {
    let mut parameters = Vec::new();
    if !to.iter().all(|to| to.user().is_ascii() && to.domain().is_ascii()) {
        require(server, Extension::SmtpUtfEight)?;
        parameters.push(MailParameter::SmtpUtfEight);
    }
    if !content.is_ascii() {
        require(server, Extension::EightBitMime)?;
        parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    Ok(parameters)
}

fn require(server: &ServerInfo, extension: Extension) -> Result<(), SendError> {
    if server.supports_feature(extension) {
        return Ok(());
    }
    Err(SendError::RejectedPermanently(
        "the server does not take mails to addresses that are not ASCII".to_owned(),
    ))
}

/// Why the server did not take a step.
struct Failure {
    /// The code of its reply. `None` if it did not answer.
    code: Option<u16>,
    reason: String,
}

impl Failure {
    /// At MAIL, which concerns the server or the sender, and the mail only if it needs parameters.
    fn at_sender(self, has_parameters: bool) -> SendError {
        match self.code {
            Some(code) if has_parameters && INVALID_PARAMETERS.contains(&code) => {
                SendError::RejectedPermanently(self.reason)
            }
            Some(_) if has_parameters => SendError::Closed(self.reason),
            Some(_) | None => SendError::Unreachable(self.reason),
        }
    }

    /// After MAIL. `unanswered` is the error if the server did not answer.
    fn at_mail(self, unanswered: fn(String) -> SendError) -> SendError {
        match self.code {
            Some(CLOSING | LOGIN_REQUIRED) => SendError::Closed(self.reason),
            Some(code) if code < 500 => SendError::Rejected(self.reason),
            Some(_) => SendError::RejectedPermanently(self.reason),
            None => unanswered(self.reason),
        }
    }
}

async fn step<T>(deadline: Instant, step: impl Future<Output = Result<T, Error>>) -> Result<(), Failure> {
    match timeout_at(deadline, step).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(Failure {
            code: error.status().map(u16::from),
            reason: describe(&error),
        }),
        Err(_) => Err(Failure {
            code: None,
            reason: "the server did not accept or refuse the mail in time".to_owned(),
        }),
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

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    use tokio::net::TcpListener;

    use super::super::config::Destination;
    use super::super::content::Texts;
    use super::super::message;
    use super::*;

    #[actix_web::test]
    async fn a_remote_server_without_starttls_gets_neither_the_password_nor_a_mail() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut url: SmtpUrl = "smtp://ada:hunter2@mail.example".parse().unwrap();
        // As if this machine were the remote server.
        url.host = "127.0.0.1".to_owned();
        url.port = listener.local_addr().unwrap().port();
        assert_eq!(url.encryption, Encryption::StartTls);
        let config = MailConfig {
            connect_timeout: Duration::from_secs(20),
            send_timeout: Duration::from_secs(20),
            destination: Destination::Smtp(url.clone()),
            from: "mail@shop.example".parse().unwrap(),
            public_url: "https://shop.example".to_owned(),
        };
        let texts = Texts {
            subject: String::new(),
            text: String::new(),
            html: String::new(),
        };
        let to = message::recipient("ada@example.com").unwrap();
        let now = auth::Clock::fixed().now();
        let message = message::build(uuid::Uuid::nil(), &config.from, to, &texts, now).unwrap();

        let server = SmtpServer::new(url, &config).unwrap();
        let serve = async {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            stream.write_all(b"220 test\r\n").await.unwrap();
            let (mut commands, mut line) = (Vec::new(), String::new());
            while stream.read_line(&mut line).await.unwrap() > 0 {
                commands.push(std::mem::take(&mut line));
                stream.write_all(b"250-test\r\n250 AUTH PLAIN\r\n").await.unwrap();
            }
            commands
        };
        let (sent, commands) = futures_util::future::join(server.send(&message, pending()), serve).await;
        assert!(matches!(sent, Err(SendError::Unreachable(_))), "{sent:?}");
        assert_eq!(commands, ["EHLO shop.example\r\n"]);
    }
}
