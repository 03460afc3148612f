//! Behaviour that needs a real server and connection.

use super::*;
use crate::cookies::access_cookie;
use crate::routes::creators;

/// Starts a server on a free port.
fn serve(issuer: &Issuer) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let builder = issuer.verifier_builder(Keys::new(issuer.key_set()));
    let verifier = Data::new(builder.access_cookie(access_cookie()).build());
    std::thread::spawn(move || {
        let server = HttpServer::new(move || {
            App::new()
                .app_data(verifier.clone())
                .configure(listed)
                .configure(creators)
        });
        let server = server
            .workers(1)
            .disable_signals()
            .listen(listener)
            .unwrap()
            .run();
        actix_web::rt::System::new().block_on(server).unwrap();
    });
    address
}

struct Connection(BufReader<TcpStream>);

impl Connection {
    fn to(address: SocketAddr) -> Self {
        let connection = TcpStream::connect(address).unwrap();
        connection
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        Self(BufReader::new(connection))
    }

    fn send(&mut self, head: &str) {
        self.0.get_mut().write_all(head.as_bytes()).unwrap();
    }

    /// Receives the head of the next response in lower case, and its body if it has one.
    fn receive(&mut self, has_body: bool) -> (String, String) {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(self.0.read_line(&mut head).unwrap(), 0, "closed after {head:?}");
        }
        let head = head.to_ascii_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .unwrap();
        let mut body = vec![0; if has_body { length.parse().unwrap() } else { 0 }];
        self.0.read_exact(&mut body).unwrap();
        (head, String::from_utf8(body).unwrap())
    }
}

#[test]
fn an_unauthorized_caller_is_refused_before_its_body_arrives() {
    let issuer = Issuer::new(SERVICE);
    let address = serve(&issuer);
    let token = issuer.as_user().token();
    for (path, authorization, status) in [
        ("/things", String::new(), "401"),
        ("/things", "authorization: Bearer x\r\n".to_owned(), "401"),
        (
            "/admin/things",
            format!("authorization: Bearer {token}\r\n"),
            "403",
        ),
    ] {
        for framing in [
            "content-length: 100",
            "content-length: 100000000000",
            "transfer-encoding: chunked",
        ] {
            let mut connection = Connection::to(address);
            let head = format!("POST {path} HTTP/1.1\r\nhost: a\r\n{authorization}{framing}\r\n");
            connection.send(&(head + "content-type: application/json\r\n\r\n"));
            let (head, _) = connection.receive(true);
            assert!(
                head.starts_with(&format!("http/1.1 {status} ")),
                "{framing}: {head}"
            );
        }
    }
}

#[test]
fn each_request_of_a_connection_is_authenticated_by_itself() {
    let issuer = Issuer::new(SERVICE);
    let mut connection = Connection::to(serve(&issuer));
    let request = |bearer: Option<&str>| {
        let authorization = bearer
            .map(|token| format!("authorization: Bearer {token}\r\n"))
            .unwrap_or_default();
        format!("GET /optional HTTP/1.1\r\nhost: a\r\n{authorization}\r\n")
    };
    let (ada, bob) = (
        issuer.as_user().name("Ada").token(),
        issuer.as_user().name("Bob").token(),
    );
    // The requests are pipelined: none may inherit the user of another.
    connection.send(
        &[
            request(Some(&ada)),
            request(None),
            request(Some(&bob)),
            request(Some("x")),
            request(Some(&ada)),
        ]
        .concat(),
    );
    for name in ["Ada", "anonymous", "Bob", "anonymous", "Ada"] {
        assert_eq!(connection.receive(true).1, name);
    }
}

#[test]
fn head_responds_like_get_without_the_body() {
    let issuer = Issuer::new(SERVICE);
    let mut connection = Connection::to(serve(&issuer));
    let token = issuer.as_user().name("Ada").token();
    let mut headers_of = |method: &str, path: &str| {
        let authorization = format!("authorization: Bearer {token}");
        connection.send(&format!(
            "{method} {path} HTTP/1.1\r\nhost: a\r\n{authorization}\r\n\r\n"
        ));
        let (head, _) = connection.receive(method == "GET");
        let lines = head.lines().filter(|line| !line.starts_with("date:"));
        lines
            .map(str::to_owned)
            .collect::<std::collections::BTreeSet<_>>()
    };
    for (path, status) in [("/anyone", "200"), ("/user", "200"), ("/admin", "403")] {
        let of_get = headers_of("GET", path);
        assert!(
            of_get
                .iter()
                .any(|line| line.starts_with(&format!("http/1.1 {status} "))),
            "{of_get:?}"
        );
        assert_eq!(headers_of("HEAD", path), of_get);
    }
}

#[test]
fn an_upgrade_must_come_from_an_allowed_page_even_without_a_cookie() {
    let issuer = Issuer::new(SERVICE);
    let address = serve(&issuer);
    let cookie = format!("cookie: access={}", issuer.as_user().token());
    for connection in ["Upgrade", "keep-alive, Upgrade"] {
        let status = |path: &str, lines: &str| {
            let mut client = Connection::to(address);
            let upgrade = format!("connection: {connection}\r\nupgrade: websocket");
            client.send(&format!(
                "GET {path} HTTP/1.1\r\nhost: a\r\n{upgrade}\r\n{lines}\r\n\r\n"
            ));
            let (head, _) = client.receive(true);
            head["http/1.1 ".len()..][..3].to_owned()
        };
        for path in ["/anyone", "/optional"] {
            // A client that is not a browser.
            assert_eq!(status(path, "x: y"), "200");
            assert_eq!(status(path, "origin: https://things.example"), "200");
            assert_eq!(status(path, "origin: https://evil.example"), "403");
            assert_eq!(status(path, "sec-fetch-site: cross-site"), "403");
            assert_eq!(status(path, &cookie), "403");
            assert_eq!(
                status(path, &format!("{cookie}\r\norigin: https://app.example")),
                "200"
            );
        }
        assert_eq!(status("/user", "origin: https://evil.example"), "401");
    }
}
