//! SIGHUP: the gateway reads its routes again.

use std::fs;

use rustix::process::Signal;

use crate::eventually;
use crate::processes;
use crate::sandbox::{GATEWAY, Sandbox};

const REGISTRY: &str = include_str!("../../../../services.toml");
/// A route to product-service, in front of its usual one.
const ADDED: &str = r#"[[service.route]]
prefix = "/api/catalogue"
upstream_prefix = "/products"
token = "ignored"

[[service.route]]
prefix = "/api/products"
"#;
const WRONG: &str = r#"
[[service.route]]
prefix = "/oauth"
token = "ignored"

[[service]]
name = "Wrong name"
port_offset = 1
calls = ["no-such-service"]
"#;

#[tokio::test]
async fn a_signal_makes_the_gateway_read_its_routes_again_and_a_wrong_file_keeps_the_old_ones() {
    let sandbox = Sandbox::new().await;
    let file = sandbox.file("services.toml");
    fs::write(&file, REGISTRY).unwrap();
    let variables = [("SERVICES_FILE", file.to_str().unwrap())];
    let platform = sandbox.platform_with(&variables).await;
    let gateway = platform.pid_of(GATEWAY).unwrap();
    let status = async || platform.anonymous().get("/api/catalogue").await.status;
    assert_eq!(status().await, 404);

    let (before, after) = REGISTRY
        .split_once("[[service.route]]\nprefix = \"/api/products\"\n")
        .unwrap();
    fs::write(&file, format!("{before}{ADDED}{after}")).unwrap();
    assert_eq!(status().await, 404);
    processes::send(gateway, Signal::HUP);
    eventually("the added route is public", async || status().await == 200).await;

    fs::write(&file, format!("{REGISTRY}{WRONG}")).unwrap();
    processes::send(gateway, Signal::HUP);
    let is_reported = |problem: &str| {
        platform.log.events().iter().any(|event| {
            event["level"] == "ERROR"
                && event["message"] == "the new configuration is invalid; keeping the old one"
                && event["problem"].as_str().unwrap_or_default().contains(problem)
        })
    };
    for problem in ["SERVICES_FILE", "/oauth", "Wrong name", "no-such-service"] {
        eventually(&format!("{problem} is in the log"), async || is_reported(problem)).await;
    }
    assert_eq!(status().await, 200);
    assert_eq!(platform.pid_of(GATEWAY), Some(gateway));

    fs::write(&file, REGISTRY).unwrap();
    processes::send(gateway, Signal::HUP);
    eventually("the removed route is not public", async || status().await == 404).await;
}
