//! A service with two routes that differ in who may call, and in nothing else. It runs in a process of its own, as services do.

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
use crate::cores::OnCore;

// Of one length: a request is as long as its path.
pub(crate) const OPEN: &str = "/open";
pub(crate) const PROTECTED: &str = "/mine";

#[derive(Debug, Args)]
pub(crate) struct Served {
    #[arg(long)]
    pub algorithm: Algorithm,
    /// Where to write the tokens, one a line
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

/// Writes the tokens, listens, says on which port, and serves until standard input closes.
pub(crate) fn run(served: &Served) -> Result<(), Failure> {
    // Before anything is started, so that there is one worker, and all threads stay.
    let _here = OnCore::new(served.core)?;
    let signer = match served.algorithm {
        Algorithm::EdDsa => Signer::eddsa()?,
        Algorithm::Hs256 => Signer::hs256()?,
    };
    fs::write(&served.tokens, signer.tokens()?.join("\n"))?;
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
