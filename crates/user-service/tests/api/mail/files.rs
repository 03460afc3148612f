//! Mails in files, without a mail server.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::parts::Mail;
use super::{eventually, verify, wait_until_sent};
use crate::database::number;
use crate::{register, service_with};

const ADA: &str = "ada@example.com";

fn mails(directory: &Path) -> Vec<Mail> {
    let files = fs::read_dir(directory).into_iter().flatten();
    let paths = files.map(|file| file.unwrap().path());
    let mails = paths.filter(|path| path.extension().is_some_and(|extension| extension == "eml"));
    mails
        .map(|path| Mail {
            to: String::new(),
            raw: fs::read_to_string(path).unwrap(),
        })
        .collect()
}

#[actix_web::test]
async fn a_mail_is_a_file_that_only_its_owner_can_read() {
    let directory = tempfile::tempdir().unwrap();
    let service = service_with(&[("DATA_DIR", directory.path().to_str().unwrap())]).await;
    register(&service, ADA).await;
    wait_until_sent(&service).await;
    let outbox = directory.path().join("outbox");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&outbox), 0o700);
    let files: Vec<_> = fs::read_dir(&outbox)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    assert_eq!(mode(&files[0]), 0o600);

    let mail = &mails(&outbox)[0];
    assert_eq!(mail.header("To"), ADA);
    assert_eq!(mail.header("From"), "Countersign <no-reply@localhost>");
    verify(&service, &mail.token()).await.assert_status(204);
}

#[actix_web::test]
async fn a_directory_that_cannot_be_written_is_like_a_server_that_is_down() {
    let directory = tempfile::tempdir().unwrap();
    let outbox = directory.path().join("outbox");
    fs::write(&outbox, "a file instead of the directory").unwrap();
    let service = service_with(&[("DATA_DIR", directory.path().to_str().unwrap())]).await;
    register(&service, ADA).await;
    let leased =
        "select count(*) from outbox where sent_at is null and leased_until is null and attempts = 0";
    eventually("the mail waits", async || number(&service, leased).await == 1).await;
    fs::remove_file(&outbox).unwrap();
    wait_until_sent(&service).await;
    assert_eq!(mails(&outbox).len(), 1);
}
