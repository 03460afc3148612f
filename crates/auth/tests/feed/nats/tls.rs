//! A broker with TLS.

use std::path::PathBuf;

use auth::testing::NatsServer;
use uuid::Uuid;

/// A directory that is deleted on drop.
struct Directory(PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

#[actix_web::test]
async fn a_certificate_of_an_unknown_authority_is_refused_and_tls_is_required_by_the_url() {
    let directory = Directory(std::env::temp_dir().join(Uuid::new_v4().to_string()));
    std::fs::create_dir(&directory.0).unwrap();
    let (certificate, key) = (directory.0.join("certificate"), directory.0.join("key"));
    let issued = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(&certificate, issued.cert.pem()).unwrap();
    std::fs::write(&key, issued.signing_key.serialize_pem()).unwrap();
    let config = format!("tls {{ cert_file: {certificate:?}, key_file: {key:?} }}");

    let error = async |server: &NatsServer| {
        let url = server.url().replace("nats:", "tls:").parse();
        let url: auth::nats::NatsUrl = url.unwrap();
        url.connect("test").await.unwrap_err().to_string()
    };
    let refused = error(&NatsServer::start_with(&config)).await;
    assert!(refused.contains("certificate"), "{refused}");
    let without_tls = error(&NatsServer::start()).await;
    assert!(!without_tls.contains("certificate"), "{without_tls}");
}
