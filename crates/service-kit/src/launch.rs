//! From `main` to a running service, and to an exit code that says what went wrong.

use std::future::Future;
use std::net::TcpListener;
use std::process::ExitCode;

use auth::{Clock, Revocations};

use crate::config::{Env, Settings};
use crate::healthy;
use crate::service::Runtime;
use crate::shutdown::Shutdown;
use crate::telemetry::Telemetry;

/// `EX_CONFIG` of sysexits.h: the configuration is wrong, and starting again won't help.
const EX_CONFIG: u8 = 78;

/// Whether the program ends with its standard input, besides on signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StandardInput {
    /// It does not matter.
    Ignored,
    /// When it closes, whoever started this program is gone.
    EndsWithParent,
}

/// Runs the service of this name: reads its configuration, starts the log, listens, and serves until told to stop.
///
/// Called as `<program> healthy`, it asks the service that runs where this one would whether it is ready, and exits with 0 or 1:
/// for container engines, whose health checks are commands within the container.
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
        return healthy::ask(settings.listen);
    }
    let telemetry = Telemetry::read(&mut env);
    let listen = settings.listen;
    let config = configure(&mut env, settings);
    let config = match env.finish(config) {
        Ok(config) => config,
        Err(problems) => {
            eprintln!("{name}: the configuration is not valid:\n{problems}");
            return ExitCode::from(EX_CONFIG);
        }
    };
    telemetry.start();
    let system = actix_web::rt::System::new();
    let served = system.block_on(async {
        let listener =
            TcpListener::bind(listen).map_err(|error| format!("can't listen on {listen}: {error}"))?;
        let shutdown = match input {
            StandardInput::Ignored => Shutdown::on_signal()?,
            StandardInput::EndsWithParent => Shutdown::on_signal()?.or_on_closed_input(),
        };
        let (shutdown, broken_off) = shutdown.while_starting();
        let clock = Clock::system();
        let revocations = Revocations::new(clock.clone(), Revocations::DEFAULT_CAPACITY);
        tokio::select! {
            served = run(config, Runtime { listener, shutdown, clock, revocations }) => served,
            () = broken_off => {
                tracing::info!("stopping before the start has ended");
                Ok(())
            }
        }
    });
    // A start that was broken off may have left a thread behind that waits for a lock. The program ends without it.
    std::mem::forget(system);
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error, "{name} failed");
            ExitCode::FAILURE
        }
    }
}
