//! A flood of logins causes refusals, without growing memory or blocking other requests.

use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::platform::{PASSWORD, Platform};
use crate::processes::file_of;
use crate::sandbox::Sandbox;
use crate::{DEADLINE, eventually};

const CONNECTIONS: usize = 1_000;
const WAVES: usize = 3;
/// One hash needs 19 MiB, and each connection its buffers. A thousand concurrent hashes would need far more than this.
const MEMORY_KIB: u64 = 192 * 1024;
/// The allowed growth from the first wave to the last.
const GROWTH_KIB: u64 = 24 * 1024;

#[tokio::test]
async fn a_thousand_concurrent_logins_cause_refusals_and_no_memory_growth() {
    allow_files(3 * CONNECTIONS as u64);
    let sandbox = Sandbox::alone().await;
    let variables = [
        ("HASH_SLOTS", "1"),
        ("HASH_QUEUE", "8"),
        ("LOGIN_FREE_FAILURES", "1000000"),
    ];
    let platform = sandbox.platform_with(&variables).await;
    let ada = platform.register_ada().await;
    let token = ada["access_token"].as_str().unwrap();
    let pid = platform.pid_of("user-service").unwrap();

    let mut peaks = Vec::new();
    for wave in 0..WAVES {
        let (statuses, slowest) = join(flood(&platform, wave), verify_meanwhile(&platform, token)).await;
        let refused = statuses.iter().filter(|status| *status == "503").count();
        let compared = statuses.iter().filter(|status| *status == "401").count();
        assert_eq!(refused + compared, CONNECTIONS / 2, "{statuses:?}");
        assert!(
            refused > 0 && compared > 0,
            "{refused} refused, {compared} compared"
        );
        println!("{compared} compared, {refused} refused; the slowest verified request took {slowest:?}");
        assert!(
            slowest < DEADLINE / 3,
            "a verified request took too long: {slowest:?}"
        );
        peaks.push(memory(pid, "VmHWM:"));
    }
    println!("the peak after each wave, in KiB: {peaks:?}");
    assert!(peaks[0] < MEMORY_KIB, "{peaks:?}");
    assert!(
        peaks[WAVES - 1] < peaks[0] + GROWTH_KIB,
        "memory grows with each wave: {peaks:?}"
    );

    // Disconnected clients eventually free their places.
    eventually("a login succeeds again", async || {
        platform.login("ada@example.com", PASSWORD).await.status == 200
    })
    .await;
    assert_eq!(platform.pid_of("user-service"), Some(pid));
}

/// Opens a thousand connections that log in at once. Every other one disconnects without waiting for its response. Returns the
/// status codes of the rest.
async fn flood(platform: &Platform, wave: usize) -> Vec<String> {
    let address = ("127.0.0.1", platform.port("user-service"));
    let statuses = join_all((0..CONNECTIONS).map(async |index| {
        let body = format!(r#"{{"email":"eve{wave}.{index}@example.com","password":"wrong"}}"#);
        let request = format!(
            "POST /auth/login HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut connection = TcpStream::connect(address).await.unwrap();
        connection.write_all(request.as_bytes()).await.unwrap();
        if index % 2 == 1 {
            return None;
        }
        let mut response = Vec::new();
        tokio::time::timeout(DEADLINE, connection.read_to_end(&mut response))
            .await
            .unwrap()
            .unwrap();
        String::from_utf8_lossy(&response)
            .split(' ')
            .nth(1)
            .map(str::to_owned)
    }));
    statuses.await.into_iter().flatten().collect()
}

/// Sends requests that only need a token, during a wave. Returns the time of the slowest response.
async fn verify_meanwhile(platform: &Platform, token: &str) -> Duration {
    let me = platform.anonymous_at("user-service").with_token(token);
    let mut slowest = Duration::ZERO;
    for _ in 0..50 {
        let started = Instant::now();
        me.get("/auth/sessions").await.assert_status(200);
        slowest = slowest.max(started.elapsed());
    }
    slowest
}

/// A line of the process's `/proc/<pid>/status`, in KiB.
fn memory(pid: u32, line: &str) -> u64 {
    let status = file_of(pid, "status").unwrap();
    let value = status.lines().find_map(|text| text.strip_prefix(line)).unwrap();
    value.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Raises the limit of open files for this process and its children.
fn allow_files(count: u64) {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < count) {
        let more = Rlimit {
            current: Some(count),
            ..limit
        };
        setrlimit(Resource::Nofile, more).expect("the limit of open files can be raised");
    }
}
