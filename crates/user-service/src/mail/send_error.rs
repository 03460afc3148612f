//! The reasons why a mail is not sent.

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
