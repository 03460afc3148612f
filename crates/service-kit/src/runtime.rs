//! The parts of a service that the process or a test provides: its listener, its shutdown, its clock.

use std::net::TcpListener;

use auth::{Clock, Revocations};

use crate::shutdown::Shutdown;

/// The runtime that [`launch`](crate::launch()) passes to a service. Tests construct their own.
#[derive(Debug)]
pub struct Runtime {
    /// The socket on which the service accepts connections.
    pub listener: TcpListener,
    /// When to stop.
    pub shutdown: Shutdown,
    /// The time.
    pub clock: Clock,
    /// The revocation set that the service's verifier checks.
    pub revocations: Revocations,
}
