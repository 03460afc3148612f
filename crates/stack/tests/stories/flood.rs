//! A flood of logins: it costs refusals, and neither memory nor anybody's else's requests.

use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::place::Place;
use crate::platform::{PASSWORD, Platform};
use crate::processes::file_of;
use crate::{SOON, eventually};

const CONNECTIONS: usize = 1_000;
const WAVES: usize = 3;
/// One hash needs 19 MiB, and each connection its buffers: what a thousand of both would need is far more.
const MEMORY_KIB: u64 = 192 * 1024;
/// What may be left over from one wave to the next.
const GROWTH_KIB: u64 = 24 * 1024;

#[tokio::test]
async fn a_thousand_connections_that_log_in_cost_refusals_and_no_memory() {
    allow_files(3 * CONNECTIONS as u64);
    let place = Place::new().await;
    let variables = [
        ("HASH_SLOTS", "1"),
        ("HASH_QUEUE", "8"),
        ("LOGIN_FREE_FAILURES", "1000000"),
    ];
    let platform = place.platform_with(&variables).await;
    let ada = platform.ada().await;
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
        assert!(slowest < SOON / 3, "verified requests had to wait: {slowest:?}");
        peaks.push(memory(pid, "VmHWM:"));
    }
    println!("the peak after each wave, in KiB: {peaks:?}");
    assert!(peaks[0] < MEMORY_KIB, "{peaks:?}");
    assert!(
        peaks[WAVES - 1] < peaks[0] + GROWTH_KIB,
        "each wave leaves something behind: {peaks:?}"
    );

    // Those who hung up hold nothing for ever.
    eventually("there is room again", async || {
        platform.login("ada@example.com", PASSWORD).await.status == 200
    })
    .await;
    assert_eq!(platform.pid_of("user-service"), Some(pid));
}

/// A thousand connections that log in at once, every other of which hangs up and waits for no answer. Returns what the rest was
/// told.
async fn flood(platform: &Platform, wave: usize) -> Vec<String> {
    let address = ("127.0.0.1", platform.port("user-service"));
    let told = join_all((0..CONNECTIONS).map(async |index| {
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
        let mut answer = Vec::new();
        tokio::time::timeout(SOON, connection.read_to_end(&mut answer))
            .await
            .unwrap()
            .unwrap();
        String::from_utf8_lossy(&answer)
            .split(' ')
            .nth(1)
            .map(str::to_owned)
    }));
    told.await.into_iter().flatten().collect()
}

/// Asks for what only needs a token, for as long as a wave lasts, and returns the slowest answer's time.
async fn verify_meanwhile(platform: &Platform, token: &str) -> Duration {
    let me = platform.nobody_at("user-service").with_token(token);
    let mut slowest = Duration::ZERO;
    for _ in 0..50 {
        let begun = Instant::now();
        me.get("/auth/sessions").await.assert_status(200);
        slowest = slowest.max(begun.elapsed());
    }
    slowest
}

/// A line of what the kernel tells of a process's memory, in KiB.
fn memory(pid: u32, line: &str) -> u64 {
    let status = file_of(pid, "status").unwrap();
    let value = status.lines().find_map(|text| text.strip_prefix(line)).unwrap();
    value.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Lets this process, and those that it starts, have so many files open.
fn allow_files(count: u64) {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < count) {
        let more = Rlimit {
            current: Some(count),
            ..limit
        };
        setrlimit(Resource::Nofile, more)
            .expect("a thousand connections need more open files than are allowed");
    }
}
