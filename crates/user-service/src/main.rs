//! The program `user-service`.

use std::process::ExitCode;

use service_kit::StandardInput;

fn main() -> ExitCode {
    user_service::launch(StandardInput::Ignored)
}
