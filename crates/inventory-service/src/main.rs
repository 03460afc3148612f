//! The program `inventory-service`.

use std::process::ExitCode;

use service_kit::StandardInput;

fn main() -> ExitCode {
    inventory_service::launch(StandardInput::Ignored)
}
