//! The README's tour, as it stands there.

use std::process::Command;

use crate::place::Place;

const README: &str = include_str!("../../../../README.md");

#[tokio::test]
async fn the_readmes_tour_goes_as_it_says_when_pasted() {
    let place = Place::new().await;
    let _platform = place.platform().await;
    let (_, tour) = README.split_once("## A tour\n").unwrap();
    let (tour, _) = tour.split_once("\n## ").unwrap();
    let pasted: String = tour
        .split("```sh\n")
        .skip(1)
        .filter_map(|block| block.split_once("```"))
        .map(|(code, _)| code)
        .collect();
    let here = |port: u16| format!("127.0.0.1:{}", place.port_base + port - 8080);
    let pasted = (8081..=8084).fold(pasted, |pasted, port| {
        pasted.replace(&format!("127.0.0.1:{port}"), &here(port))
    });

    let shell = Command::new("bash")
        .args(["-eu", "-c", &pasted])
        .current_dir(place.file(""))
        .output();
    let said = shell.expect("bash and curl, which the tour is for");

    let said = format!(
        "{}\n{}",
        String::from_utf8_lossy(&said.stdout),
        String::from_utf8_lossy(&said.stderr)
    );
    let statuses: Vec<_> = said
        .split("HTTP/1.1 ")
        .skip(1)
        .filter_map(|answer| answer.get(..3))
        .collect();
    let ordered = [
        "stocked 200",
        "ordered 201",
        "too many 409",
        "cancelled 200",
        "stock 200",
    ];
    let others = ["registered 201", "known 200", "put up 200"];
    let refused = [
        "refused 401",
        "refused 403",
        "admitted 204",
        "logged out 204",
        "nobody 401",
    ];
    let told = [&others[..], &ordered, &refused].concat();
    assert_eq!(
        statuses,
        told.iter()
            .filter_map(|told| told.get(told.len() - 3..))
            .collect::<Vec<_>>(),
        "{told:?}: {said}"
    );
}
