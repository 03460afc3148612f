//! Whether a service that runs is ready, asked from beside it: images have no curl.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

/// For each step. A service says after 5 seconds at the latest that its database does not answer.
const PATIENCE: Duration = Duration::from_secs(8);
/// Longer than any refusal.
const MAX_ANSWER: u64 = 16 * 1024;

/// Exits well if whoever listens there is ready, and says why not otherwise.
pub(crate) fn ask(listen: SocketAddr) -> ExitCode {
    match readiness(reachable(listen), PATIENCE) {
        Ok(answer) if is_ok(&answer) => ExitCode::SUCCESS,
        Ok(answer) => {
            eprintln!("{}", String::from_utf8_lossy(&answer));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{listen} does not answer: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Who listens on all addresses does so on loopback.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// What `/health/ready` answers. In HTTP/1.0 the answer ends with its connection.
fn readiness(address: SocketAddr, patience: Duration) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    write!(stream, "GET /health/ready HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer)?;
    Ok(answer)
}

fn is_ok(answer: &[u8]) -> bool {
    answer.starts_with(b"HTTP/1.0 200 ") || answer.starts_with(b"HTTP/1.1 200 ")
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn who_listens_everywhere_is_asked_on_loopback() {
        let asked = |listen: &str| reachable(listen.parse().unwrap()).to_string();
        assert_eq!(asked("0.0.0.0:8081"), "127.0.0.1:8081");
        assert_eq!(asked("[::]:8081"), "[::1]:8081");
        assert_eq!(asked("192.0.2.7:8081"), "192.0.2.7:8081");
    }

    #[test]
    fn only_200_is_ready() {
        assert!(is_ok(b"HTTP/1.1 200 OK\r\n\r\n"));
        for answer in [
            "HTTP/1.1 503 Service Unavailable\r\n\r\n",
            "HTTP/1.1 2000 OK\r\n",
            "200 OK",
            "",
        ] {
            assert!(!is_ok(answer.as_bytes()), "{answer}");
        }
    }

    #[test]
    fn who_hangs_does_not_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let error = readiness(listener.local_addr().unwrap(), Duration::from_millis(50)).unwrap_err();
        assert!(
            matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
            "{error}"
        );
    }
}
