//! The program `order-service`.

use std::process::ExitCode;

use service_kit::StandardInput;

fn main() -> ExitCode {
    order_service::launch(StandardInput::Ignored)
}
