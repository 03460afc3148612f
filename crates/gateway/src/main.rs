//! The program `gateway`.

use std::process::ExitCode;

use service_kit::StandardInput;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    gateway::launch(StandardInput::Ignored)
}
