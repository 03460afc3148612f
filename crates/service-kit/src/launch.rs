//! From `main` to a running service, and to an exit code that says why it ended.

use std::future::Future;
use std::net::TcpListener;
use std::process::ExitCode;
use std::time::Duration;

use auth::{Clock, Revocations};

use crate::config::{Env, Settings};
use crate::probe;
use crate::runtime::Runtime;
use crate::shutdown::Shutdown;
use crate::telemetry::{self, Telemetry};

/// `EX_CONFIG` of sysexits.h: the configuration is invalid, so a restart won't help.
const EX_CONFIG: u8 = 78;

/// Whether the program stops when its standard input closes. It always stops on SIGINT and SIGTERM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StandardInput {
    /// Standard input is not read.
    Ignored,
    /// The parent process holds the other end, so a closed input means that the parent has ended.
    EndsWithParent,
}

/// Runs the service of this name: reads its configuration, starts the log, listens, and serves until shutdown is requested.
///
/// Called as `<program> healthy`, it asks the service that listens at the configured address whether it is ready, and exits
/// with 0 or 1. Container engines need that: their health checks are commands inside the container.
pub fn launch<C, F>(
    name: &str,
    configure: impl FnOnce(&mut Env, Settings) -> C,
    run: impl FnOnce(C, Runtime) -> F,
    input: StandardInput,
) -> ExitCode
where
    F: Future<Output = Result<(), Box<dyn std::error::Error>>>,
{
    let mut env = Env::load(name);
    let settings = Settings::read(&mut env, name);
    if std::env::args().nth(1).as_deref() == Some("healthy") {
        return probe::ask(settings.health_address());
    }

    let telemetry = Telemetry::read(&mut env);
    let shutdown_delay = env.duration("SHUTDOWN_DELAY", Duration::ZERO);
    let listen = settings.listen;
    let config = configure(&mut env, settings);
    let notes = env.notes();
    let config = match env.finish(config) {
        Ok(config) => config,
        Err(problems) => {
            eprintln!("{name}: the configuration is invalid:\n{problems}");
            return ExitCode::from(EX_CONFIG);
        }
    };
    telemetry.start();
    // Before anything is measured: metrics that are used earlier count nothing.
    telemetry::recorder();
    notes.log();

    let system = actix_web::rt::System::new();
    let outcome = system.block_on(async {
        let listener =
            TcpListener::bind(listen).map_err(|error| format!("can't listen on {listen}: {error}"))?;
        let shutdown = Shutdown::on_signal()?.with_delay(shutdown_delay);
        let shutdown = match input {
            StandardInput::Ignored => shutdown,
            StandardInput::EndsWithParent => shutdown.or_on_closed_input(),
        };
        let clock = Clock::system();
        let runtime = Runtime {
            listener,
            shutdown: shutdown.clone(),
            revocations: Revocations::new(clock.clone(), Revocations::DEFAULT_CAPACITY),
            clock,
        };
        tokio::select! {
            outcome = run(config, runtime) => outcome,
            () = shutdown.requested_during_startup() => {
                tracing::info!("stopping during startup");
                Ok(())
            }
        }
    });
    // A cancelled startup may leave a thread that waits for a lock. Dropping the system would wait for that thread.
    std::mem::forget(system);

    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error, "{name} failed");
            ExitCode::FAILURE
        }
    }
}
