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
    let pasted = pasted.replace("127.0.0.1:8081", &here(8081)).replace("127.0.0.1:8082", &here(8082));

    let shell = Command::new("bash").args(["-eu", "-c", &pasted]).current_dir(place.file("")).output();
    let said = shell.expect("bash and curl, which the tour is for");

    let said =
        format!("{}\n{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    let statuses: Vec<_> = said.split("HTTP/1.1 ").skip(1).filter_map(|answer| answer.get(..3)).collect();
    let told = "registered, known, put up, refused, refused, admitted, logged out, nobody";
    assert_eq!(statuses, ["201", "200", "200", "401", "403", "204", "204", "401"], "{told}: {said}");
}
