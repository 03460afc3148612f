//! Creates what is missing, starts the services, waits until all are ready, prints how to use them, and stops them.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use service_kit::{Registry, Shutdown, StandardInput};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::child::{FailedToStart, Phase, keep_running};
use crate::config::{Config, ConfigError, GeneratedAdmin, ServiceConfig};
use crate::databases;
use crate::stop_order::stop_order;

/// `EX_CONFIG` of sysexits.h, which services also exit with when their configuration is invalid.
const EX_CONFIG: u8 = 78;
const READY_TIMEOUT: Duration = Duration::from_secs(60);
const READY_POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Runs a service in this process.
pub(crate) type Launch = fn(StandardInput) -> ExitCode;

/// The name of each service, and the function that runs it.
macro_rules! services {
    ($($service:ident)+) => { &[$(($service::NAME, $service::launch)),+] };
}

/// The services that this program can run. A test compares them with the registry.
const SERVICES: &[(&str, Launch)] = services! {
    gateway
    user_service
    product_service
    order_service
    inventory_service
};

/// The function that runs the service of this name.
pub(crate) fn launcher(service: &str) -> Option<Launch> {
    let found = SERVICES.iter().find(|(name, _)| *name == service);
    found.map(|(_, launch)| *launch)
}

/// Runs the platform until a signal stops it.
pub(crate) fn run() -> ExitCode {
    // Held until the end: the lock keeps another stack from using the directory.
    let (config, _generated) = match Config::read() {
        Ok(read) => read,
        Err(error) => {
            eprintln!("stack: {error}");
            return ExitCode::from(if matches!(error, ConfigError::Invalid(_)) {
                EX_CONFIG
            } else {
                1
            });
        }
    };
    config.telemetry.start();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("stack: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(serve(config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Service(FailedToStart { service, status })) => {
            let code = status.and_then(|status| status.code());
            eprintln!("stack: {service} did not start; see its messages above");
            ExitCode::from(if code == Some(EX_CONFIG.into()) {
                EX_CONFIG
            } else {
                1
            })
        }
        Err(Failure::Other(error)) => {
            eprintln!("stack: {error}");
            ExitCode::FAILURE
        }
    }
}

enum Failure {
    Service(FailedToStart),
    Other(Box<dyn std::error::Error>),
}

impl<E: Into<Box<dyn std::error::Error>>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

async fn serve(mut config: Config) -> Result<(), Failure> {
    check_ports(&config.services)?;
    name_missing_services(&config.services);
    if let Some(server) = &config.server {
        databases::create(server, &mut config.services).await?;
    }
    let shutdown = Shutdown::on_signal()?;
    let (phase, mut failures, groups) = start(&config.registry, &config.services);
    let outcome = tokio::select! {
        () = shutdown.requested() => Ok(()),
        Some(failed) = failures.recv() => Err(Failure::Service(failed)),
        ready = all_ready(&config.services) => match ready {
            Ok(()) => {
                phase.send_replace(Phase::Running);
                print_how_to_use(&config);
                tracing::info!("everything is ready");
                shutdown.requested().await;
                Ok(())
            }
            Err(error) => Err(Failure::Other(error.into())),
        },
    };
    for (index, group) in groups.into_iter().enumerate() {
        phase.send_replace(Phase::Stopping(index));
        group.join_all().await;
    }
    outcome
}

/// The services that this program starts.
fn contained(services: &[ServiceConfig]) -> impl Iterator<Item = &ServiceConfig> {
    services.iter().filter(|service| service.is_contained)
}

/// Says which services the operator has to start.
fn name_missing_services(services: &[ServiceConfig]) {
    for service in services.iter().filter(|service| !service.is_contained) {
        tracing::warn!(
            service = service.name,
            url = service.url,
            "this program does not contain the service: start it separately"
        );
    }
}

/// Reports an address in use before any service starts.
fn check_ports(services: &[ServiceConfig]) -> Result<(), String> {
    for service in contained(services) {
        for listen in &service.listen {
            TcpListener::bind(listen).map_err(|error| {
                format!(
                    "{} can't listen on {listen}: {error} (PORT_BASE changes all ports, BIND the address)",
                    service.name
                )
            })?;
        }
    }
    Ok(())
}

/// Starts the services, in the groups in which they stop.
fn start(
    registry: &Registry,
    services: &[ServiceConfig],
) -> (
    watch::Sender<Phase>,
    mpsc::Receiver<FailedToStart>,
    Vec<JoinSet<()>>,
) {
    let (phase, watched) = watch::channel(Phase::Starting);
    let (failed, failures) = mpsc::channel(1);
    let mut groups = Vec::new();
    for (index, names) in stop_order(registry).into_iter().enumerate() {
        let mut group = JoinSet::new();
        for service in contained(services).filter(|service| names.contains(&service.name)) {
            group.spawn(keep_running(
                service.clone(),
                index,
                watched.clone(),
                failed.clone(),
            ));
        }
        groups.push(group);
    }
    (phase, failures, groups)
}

async fn all_ready(services: &[ServiceConfig]) -> Result<(), String> {
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(2))
        .no_proxy()
        .build()
        .map_err(|error| format!("no HTTP client: {error}"))?;
    let deadline = tokio::time::Instant::now() + READY_TIMEOUT;
    for service in contained(services) {
        while !client
            .get(format!("{}/health/ready", service.inner_url))
            .send()
            .await
            .is_ok_and(|answer| answer.status().is_success())
        {
            if tokio::time::Instant::now() > deadline {
                return Err(format!("{} was not ready within {READY_TIMEOUT:?}", service.name));
            }
            tokio::time::sleep(READY_POLL_INTERVAL).await;
        }
    }
    Ok(())
}

fn print_how_to_use(config: &Config) {
    // A closed standard output must not stop the platform.
    drop(std::io::stdout().write_all(how_to_use(config).as_bytes()));
}

fn how_to_use(config: &Config) -> String {
    const DOCUMENTATION: &str = "documentation";
    let (gateways, inner): (Vec<_>, Vec<_>) =
        config.services.iter().partition(|service| service.is_gateway());
    let gateway = gateways.first().map_or("", |gateway| &gateway.url);
    let names = config.services.iter().map(|service| service.name.as_str());
    let longest = names.chain([DOCUMENTATION]).map(str::len).max();
    let width = longest.unwrap_or_default() + 1;
    let url_of = |service: &&ServiceConfig| {
        let note = if service.is_contained {
            "inner"
        } else {
            "not started"
        };
        format!("{:<width$}{} ({note})\n", service.name, service.url)
    };
    let inner: String = inner.iter().map(url_of).collect();
    let credentials = match &config.admin {
        None => "the admin in ADMIN_EMAIL".to_owned(),
        Some(GeneratedAdmin {
            email,
            password_file,
            fresh_password,
        }) => {
            let file = relative(password_file);
            match fresh_password.as_ref().map(SecretString::expose_secret) {
                Some(password) => {
                    format!("{email} with the password {password} (shown only now; stored in {file})")
                }
                None => format!("{email} with the password in {file}"),
            }
        }
    };
    let (email, password) = match &config.admin {
        Some(admin) => (
            admin.email,
            format!("'\"$(cat {})\"'", relative(&admin.password_file)),
        ),
        None => ("…", "…".to_owned()),
    };
    format!(
        "\n{:<width$}{gateway}/docs\n{:<width$}{gateway}\n{inner}\nLog in as {credentials}:\n\n  curl {gateway}/auth/login -H 'content-type: application/json' \\\n    \
         -d '{{\"email\": \"{email}\", \"password\": \"{password}\"}}'\n\n",
        DOCUMENTATION,
        gateway::NAME,
    )
}

/// The path relative to the working directory, if it is inside.
fn relative(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use service_kit::Registry;

    #[test]
    fn every_registered_service_that_is_a_crate_can_be_run_and_no_other() {
        let registry = Registry::built_in();
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let names = registry.iter().map(|service| service.name.as_str());
        let registered: BTreeSet<_> = names.filter(|name| crates.join(name).exists()).collect();
        assert_eq!(
            registered,
            super::SERVICES.iter().map(|(name, _)| *name).collect()
        );
    }
}
