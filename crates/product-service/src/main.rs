//! The program `product-service`.

use std::process::ExitCode;

use service_kit::StandardInput;

fn main() -> ExitCode {
    product_service::launch(StandardInput::Ignored)
}
