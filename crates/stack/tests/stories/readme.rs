//! The README's tour.

use std::process::Command;

use crate::sandbox::Sandbox;

const README: &str = include_str!("../../../../README.md");

#[tokio::test]
async fn the_tour_of_the_readme_works_when_pasted() {
    let sandbox = Sandbox::new().await;
    let _platform = sandbox.platform().await;
    let (_, tour) = README.split_once("## A tour\n").unwrap();
    let (tour, _) = tour.split_once("\n## ").unwrap();
    let pasted: String = tour
        .split("```sh\n")
        .skip(1)
        .filter_map(|block| block.split_once("```"))
        .map(|(code, _)| code)
        .collect();
    assert!(
        !pasted.contains(":8081"),
        "the tour goes around the gateway: {pasted}"
    );
    let pasted = pasted.replace("127.0.0.1:8080", &format!("127.0.0.1:{}", sandbox.port_base));

    let shell = Command::new("bash")
        .args(["-eu", "-c", &pasted])
        .current_dir(sandbox.file(""))
        .output();
    let output = shell.expect("bash and curl");

    let output = format!(
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let statuses: Vec<_> = output
        .split("HTTP/1.1 ")
        .skip(1)
        .filter_map(|response| response.get(..3))
        .collect();
    let expected = [
        ("register", "201"),
        ("current user", "200"),
        ("product", "200"),
        ("stock", "200"),
        ("order", "200"),
        ("order too many", "409"),
        ("cancel", "200"),
        ("stock after cancelling", "200"),
        ("delete without a token", "401"),
        ("delete as a user", "403"),
        ("delete as the admin", "204"),
        ("log out", "204"),
        ("current user after the logout", "401"),
    ];
    assert_eq!(
        statuses,
        expected.map(|(_, status)| status),
        "{expected:?}: {output}"
    );
}
