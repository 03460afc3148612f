//! The readiness probe, as a command of the service's own program: container images have no curl.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use crate::config::reachable_ip;

/// Timeout of each step. A service reports an unavailable database after at most 5 seconds.
const TIMEOUT: Duration = Duration::from_secs(8);
/// Longer than any response of `/health/ready`.
const MAX_RESPONSE_BYTES: u64 = 16 * 1024;

/// Exits with 0 if the service that listens at this address is ready. Otherwise exits with 1 and prints the reason.
pub(crate) fn ask(listen: SocketAddr) -> ExitCode {
    let address = SocketAddr::new(reachable_ip(listen.ip()), listen.port());
    match get_readiness(address, TIMEOUT) {
        Ok(response) if is_ok(&response) => ExitCode::SUCCESS,
        Ok(response) => {
            eprintln!("{}", String::from_utf8_lossy(&response));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{listen} does not answer: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Sends `GET /health/ready`. With HTTP/1.0 the server closes the connection at the end of the response.
fn get_readiness(address: SocketAddr, timeout: Duration) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    // One write, so that a server that reads once has the whole request.
    let request = format!("GET /health/ready HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes())?;

    let mut response = Vec::new();
    stream.take(MAX_RESPONSE_BYTES).read_to_end(&mut response)?;
    Ok(response)
}

fn is_ok(response: &[u8]) -> bool {
    response.starts_with(b"HTTP/1.0 200 ") || response.starts_with(b"HTTP/1.1 200 ")
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    #[test]
    fn a_service_is_ready_only_with_200() {
        assert!(is_ok(b"HTTP/1.1 200 OK\r\n\r\n"));
        for response in [
            "HTTP/1.1 503 Service Unavailable\r\n\r\n",
            "HTTP/1.1 2000 OK\r\n",
            "200 OK",
            "",
        ] {
            assert!(!is_ok(response.as_bytes()), "{response}");
        }
    }

    #[test]
    fn a_hanging_service_is_not_ready() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let error = get_readiness(listener.local_addr().unwrap(), Duration::from_millis(50)).unwrap_err();
        assert!(
            matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
            "{error}"
        );
    }

    #[test]
    fn a_service_on_ipv6_is_asked_with_brackets_in_the_host() {
        let Ok(listener) = TcpListener::bind("[::1]:0") else {
            eprintln!("skipped: this machine has no IPv6");
            return;
        };
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 256];
            let length = stream.read(&mut request).unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        assert!(is_ok(&get_readiness(address, TIMEOUT).unwrap()));
        let request = server.join().unwrap();
        assert!(
            request.contains(&format!("Host: [::1]:{}\r\n", address.port())),
            "{request}"
        );
    }
}
