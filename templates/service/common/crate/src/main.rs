//! The program `example-service`.

use std::process::ExitCode;

use service_kit::StandardInput;

fn main() -> ExitCode {
    example_service::launch(StandardInput::Ignored)
}
