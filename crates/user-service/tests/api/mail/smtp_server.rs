//! A mail server in the process of the test, with the faults that a server can have.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::DEADLINE;
use super::parts::Mail;

/// A fault of the server.
#[derive(Clone, Debug, Default)]
pub enum Fault {
    #[default]
    None,
    /// Refuses a recipient with this reply.
    Refuse(&'static str, &'static str),
    /// Refuses every sender with this reply.
    RefuseSender(&'static str),
    /// Accepts a mail to this recipient, and disconnects instead of answering.
    AcceptAndDisconnect(&'static str),
    /// Disconnects instead of accepting a mail to this recipient.
    DisconnectAt(&'static str),
    /// Does not answer when it gets this recipient.
    HangAt(&'static str),
    /// Accepts connections, and does not speak.
    HangAtGreeting,
    /// Answers each command after this time.
    Slow(Duration),
    /// Refuses every login.
    RefuseLogin,
}

#[derive(Debug, Default)]
struct Shared {
    mails: Mutex<Vec<Mail>>,
    arrived: Notify,
    fault: Mutex<Fault>,
    /// Recipients that were named, also of mails that were not accepted.
    attempts: Mutex<Vec<String>>,
    connections: AtomicUsize,
}

/// A mail server. It stops on drop.
#[derive(Debug)]
pub struct SmtpServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    /// The address of a server that has not started.
    reserved: Option<TcpSocket>,
    tasks: JoinSet<()>,
}

impl SmtpServer {
    pub fn start() -> Self {
        let mut server = Self::reserve();
        server.listen();
        server
    }

    /// A server that has not started: its port refuses connections, and no other program gets it.
    pub fn reserve() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        Self {
            address: socket.local_addr().unwrap(),
            shared: Arc::default(),
            reserved: Some(socket),
            tasks: JoinSet::new(),
        }
    }

    /// Starts a reserved or stopped server.
    pub fn listen(&mut self) {
        let socket = self.reserved.take().unwrap();
        let listener = socket.listen(64).unwrap();
        self.tasks.spawn(accept(listener, Arc::clone(&self.shared)));
    }

    /// Stops the server and its connections. Its port refuses connections.
    pub async fn stop(&mut self) {
        self.tasks.shutdown().await;
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(self.address).unwrap();
        self.reserved = Some(socket);
    }

    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    pub fn set_fault(&self, fault: Fault) {
        *self.shared.fault.lock().unwrap() = fault;
    }

    /// The mails that were accepted.
    pub fn mails(&self) -> Vec<Mail> {
        self.shared.mails.lock().unwrap().clone()
    }

    pub fn mails_to(&self, email: &str, subject: &str) -> Vec<Mail> {
        let mut mails = self.mails();
        mails.retain(|mail| mail.to == email && mail.subject() == subject);
        mails
    }

    /// How often this recipient was named.
    pub fn attempts(&self, email: &str) -> usize {
        let attempts = self.shared.attempts.lock().unwrap();
        attempts.iter().filter(|to| *to == email).count()
    }

    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Waits for a mail to this address with this subject.
    pub async fn mail_to(&self, email: &str, subject: &str) -> Mail {
        self.nth_mail_to(email, subject, 1).await
    }

    /// Waits for the nth mail to this address with this subject.
    pub async fn nth_mail_to(&self, email: &str, subject: &str, n: usize) -> Mail {
        self.wait_until(|server| server.mails_to(email, subject).len() >= n)
            .await;
        self.mails_to(email, subject)[n - 1].clone()
    }

    /// Waits until mails have arrived that fulfil the condition.
    pub async fn wait_until(&self, condition: impl Fn(&Self) -> bool) {
        let wait = async {
            loop {
                let arrived = self.shared.arrived.notified();
                if condition(self) {
                    return;
                }
                arrived.await;
            }
        };
        let waited = timeout(DEADLINE, wait).await;
        assert!(
            waited.is_ok(),
            "only these mails arrived in time: {:#?}",
            self.mails()
        );
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Ends with this task.
    let mut sessions = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        shared.connections.fetch_add(1, Ordering::Relaxed);
        let shared = Arc::clone(&shared);
        // An error is a client that disconnected.
        sessions.spawn(async move { drop(serve(stream, &shared).await) });
    }
}

async fn serve(stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let fault = shared.fault.lock().unwrap().clone();
    if let Fault::HangAtGreeting = fault {
        std::future::pending::<()>().await;
    }
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 test ready\r\n").await?;
    let mut to = String::new();
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        if let Fault::Slow(delay) = fault {
            sleep(delay).await;
        }
        let command = line.trim_end().to_owned();
        let reply = match command.split([' ', ':']).next().unwrap_or_default() {
            "EHLO" => "250-test\r\n250 AUTH PLAIN",
            "AUTH" if matches!(fault, Fault::RefuseLogin) => "535 wrong password",
            "AUTH" => "235 welcome",
            "MAIL" => match fault {
                Fault::RefuseSender(reply) => reply,
                _ => "250 ok",
            },
            "RCPT" => {
                let (_, address) = command.split_once('<').unwrap();
                to = address.split('>').next().unwrap().to_owned();
                shared.attempts.lock().unwrap().push(to.clone());
                shared.arrived.notify_waiters();
                match fault {
                    Fault::Refuse(refused, reply) if refused == to => reply,
                    Fault::HangAt(refused) if refused == to => std::future::pending().await,
                    _ => "250 ok",
                }
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                let raw = read_mail(&mut stream).await?;
                if matches!(fault, Fault::DisconnectAt(address) if address == to) {
                    return Ok(());
                }
                let mail = Mail { to: to.clone(), raw };
                shared.mails.lock().unwrap().push(mail);
                shared.arrived.notify_waiters();
                if matches!(fault, Fault::AcceptAndDisconnect(address) if address == to) {
                    return Ok(());
                }
                "250 accepted"
            }
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            _ => "500 unknown command",
        };
        stream.write_all(reply.as_bytes()).await?;
        stream.write_all(b"\r\n").await?;
    }
}

/// Reads the lines up to a single dot (RFC 5321 §4.5.2).
async fn read_mail(stream: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let mut mail = String::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        match line.as_str() {
            "" | ".\r\n" => return Ok(mail),
            line => mail.push_str(line.strip_prefix('.').unwrap_or(line)),
        }
    }
}
