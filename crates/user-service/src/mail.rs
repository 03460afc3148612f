//! Mails to users. A request adds a mail to the outbox, a table, in the transaction of the act that causes the mail. So neither exists
//! without the other, and no request waits for a mail server. A worker sends the mails.
//!
//! - `outbox` adds mails, and wakes the worker.
//! - `worker` leases mails and decides when; `delivery` sends one mail, and `after_failure` decides when it is tried again.
//! - `content` fills in the templates in `templates/mail`; `message` makes the mail of it.
//! - `transport` sends over SMTP (`smtp`, `smtp_url`), or writes files (`files`) if there is no SMTP server.
//! - `config` reads the variables.
//!
//! The token in a link is made when the mail is sent, so an outage of the server does not shorten its lifetime.

mod after_failure;
mod config;
mod content;
mod delivery;
mod files;
mod message;
mod outbox;
mod send_error;
mod smtp;
mod smtp_url;
mod transport;
mod worker;

pub use self::config::MailConfig;
pub(crate) use self::outbox::Outbox;
pub(crate) use self::worker::MailWorker;
