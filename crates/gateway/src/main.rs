//! The program `gateway`.

use std::process::ExitCode;

use service_kit::StandardInput;

fn main() -> ExitCode {
    gateway::launch(StandardInput::Ignored)
}
