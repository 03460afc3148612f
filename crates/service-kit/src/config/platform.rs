//! The settings that others follow from.

use std::net::IpAddr;

use super::registry::Registry;

/// The settings of the platform that decide where the other programs are and who signs tokens.
#[derive(Debug)]
pub(super) struct Platform<'s> {
    pub registry: &'s Registry,
    pub public_url: &'s str,
    pub user_service_url: &'s str,
    /// The address on which this program listens.
    pub bind: IpAddr,
    pub port_base: u16,
}
