//! A service with routes that differ only in their policies, and one with plain actix-web. Each runs in its own process, as
//! services do.

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use actix_web::web::{self, Json};
use actix_web::{App, HttpServer, Responder};
use auth::{Anyone, Routes, VerifyToken};
use bench::tokens::{Signer, revocations};
use clap::{Args, ValueEnum};
use serde::Serialize;
use service_kit::{Env, Server, Shutdown, Telemetry};
use utoipa::openapi::OpenApi;

use crate::Failure;
use crate::cores::PinnedToCore;

/// The paths of both policies have equal length, so that the requests have equal length.
///
/// The protected route is listed between the open routes, because each route that is listed before another makes the other slower.
pub(crate) const OPEN: [&str; 2] = ["/item", "/open"];
pub(crate) const PROTECTED: &str = "/mine";

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[arg(long)]
    pub variant: Variant,
    /// The file for the tokens, one per line
    #[arg(long)]
    pub tokens: PathBuf,
    #[arg(long)]
    pub core: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Variant {
    /// A service that verifies tokens signed with Ed25519.
    #[value(name = "EdDSA")]
    EdDsa,
    /// A service that verifies HS256 tokens.
    #[value(name = "HS256")]
    Hs256,
    /// actix-web with the same handlers and nothing else. It ignores the tokens.
    #[value(name = "actix-web")]
    ActixWeb,
}

impl Variant {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Hs256 => "HS256",
            Self::ActixWeb => "actix-web",
        }
    }
}

/// Writes the tokens, prints the port, and serves until standard input closes.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    // Pin before any thread starts, so that there is one worker and all threads stay on the core.
    let _here = PinnedToCore::new(options.core)?;
    let signer = match options.variant {
        Variant::EdDsa | Variant::ActixWeb => Signer::eddsa()?,
        Variant::Hs256 => Signer::hs256()?,
    };
    fs::write(&options.tokens, signer.tokens()?.join("\n"))?;
    Telemetry::read(&mut Env::from_vars("bench", [("RUST_LOG", "warn")])).start();
    actix_web::rt::System::new().block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let mut output = std::io::stdout();
        writeln!(output, "{}", listener.local_addr()?.port())?;
        output.flush()?;
        let shutdown = Shutdown::on_signal()?.or_on_closed_input();
        if options.variant == Variant::ActixWeb {
            return serve_plain(listener, shutdown).await;
        }
        Server::new("bench", routes, OpenApi::default())
            .verifier(signer.verifier(&revocations()))
            .run(listener, shutdown)
            .await?;
        Ok(())
    })
}

async fn serve_plain(listener: TcpListener, shutdown: Shutdown) -> Result<(), Failure> {
    let app = || {
        OPEN.iter()
            .fold(App::new(), |app, path| app.route(path, web::get().to(lamp_alone)))
    };
    let server = HttpServer::new(app)
        .workers(1)
        // Like service-kit. The default is 5 seconds: the other services may take longer to verify all tokens once.
        .keep_alive(Duration::from_secs(75))
        .listen(listener)?
        .disable_signals()
        .run();
    tokio::select! {
        ended = server => Ok(ended?),
        () = shutdown.requested() => Ok(()),
    }
}

async fn lamp_alone() -> impl Responder {
    lamp()
}

fn routes() -> Routes {
    Routes::new()
        .get(OPEN[0], open)
        .get(PROTECTED, protected)
        .get(OPEN[1], open)
}

#[derive(Serialize)]
struct Product {
    id: u32,
    name: &'static str,
    price_cents: u32,
    currency: &'static str,
}

const LAMP: Product = Product {
    id: 42,
    name: "Lamp",
    price_cents: 1999,
    currency: "EUR",
};

async fn open(_: Anyone) -> impl Responder {
    lamp()
}

async fn protected(_: VerifyToken) -> impl Responder {
    lamp()
}

fn lamp() -> Json<Product> {
    Json(LAMP)
}
