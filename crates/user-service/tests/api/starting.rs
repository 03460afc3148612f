//! The program while it starts.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::KEY;

const DEADLINE: Duration = Duration::from_secs(20);

#[test]
fn a_service_that_waits_for_its_database_can_be_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("users.db");
    let lock = File::create(file.with_extension("migrating")).unwrap();
    lock.lock().unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_user-service"))
        .current_dir(directory.path())
        .env_clear()
        .envs([
            ("PORT", "0"),
            ("KEY_ENCRYPTION_KEY", KEY),
            ("DATABASE_URL", "sqlite:users.db"),
        ])
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while !file.exists() {
        assert!(
            started.elapsed() < DEADLINE,
            "the service did not open its database in time"
        );
        std::thread::sleep(Duration::from_millis(5));
    }

    kill_process(
        Pid::from_raw(program.id().try_into().unwrap()).unwrap(),
        Signal::TERM,
    )
    .unwrap();
    let started = Instant::now();
    let status = loop {
        if let Some(status) = program.try_wait().unwrap() {
            break status;
        }
        if started.elapsed() > DEADLINE {
            program.kill().unwrap();
            panic!("the service did not stop in time");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert!(status.success(), "{status}");
}
