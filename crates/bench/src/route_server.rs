//! A service with two routes that differ only in their policies. It runs in its own process, as services do.

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

use actix_web::{HttpResponse, Responder};
use auth::{Anyone, Routes, VerifyToken};
use bench::tokens::{Signer, revocations};
use clap::{Args, ValueEnum};
use service_kit::{Env, Server, Shutdown, Telemetry};
use utoipa::openapi::OpenApi;

use crate::Failure;
use crate::cores::PinnedToCore;

// Paths of equal length, so that requests have equal length.
pub(crate) const OPEN: &str = "/open";
pub(crate) const PROTECTED: &str = "/mine";

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[arg(long)]
    pub algorithm: Algorithm,
    /// The file for the tokens, one per line
    #[arg(long)]
    pub tokens: PathBuf,
    #[arg(long)]
    pub core: usize,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Algorithm {
    #[value(name = "EdDSA")]
    EdDsa,
    #[value(name = "HS256")]
    Hs256,
}

impl Algorithm {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Hs256 => "HS256",
        }
    }
}

/// Writes the tokens, prints the port, and serves until standard input closes.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    // Pin before any thread starts, so that there is one worker and all threads stay on the core.
    let _here = PinnedToCore::new(options.core)?;
    let signer = match options.algorithm {
        Algorithm::EdDsa => Signer::eddsa()?,
        Algorithm::Hs256 => Signer::hs256()?,
    };
    fs::write(&options.tokens, signer.tokens()?.join("\n"))?;
    Telemetry::read(&mut Env::from_vars("bench", [("RUST_LOG", "warn")])).start();
    actix_web::rt::System::new().block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let mut output = std::io::stdout();
        writeln!(output, "{}", listener.local_addr()?.port())?;
        output.flush()?;
        Server::new("bench", routes, OpenApi::default())
            .verifier(signer.verifier(&revocations()))
            .run(listener, Shutdown::on_signal()?.or_on_closed_input())
            .await?;
        Ok(())
    })
}

fn routes() -> Routes {
    Routes::new().get(OPEN, open).get(PROTECTED, protected)
}

async fn open(_: Anyone) -> impl Responder {
    lamp()
}

async fn protected(_: VerifyToken) -> impl Responder {
    lamp()
}

fn lamp() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({"name": "Lamp", "price_cents": 1999, "currency": "EUR"}))
}
