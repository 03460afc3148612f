//! A client of HTTP/2, whose requests may be ones that usual clients do not send.

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, StatusCode};
use tokio::time::timeout;

use crate::certificate::Certificate;
use crate::client::{Answer, DEADLINE};
use crate::test_gateway::TestGateway;

/// A connection to a gateway with TLS.
pub struct Http2 {
    send: SendRequest<Bytes>,
}

impl Http2 {
    pub async fn connect(certificate: &Certificate, gateway: &TestGateway) -> Self {
        Self::connect_with(certificate, gateway, &Builder::new()).await
    }

    pub async fn connect_with(certificate: &Certificate, gateway: &TestGateway, builder: &Builder) -> Self {
        let stream = certificate.connect(gateway.connect().await).await.unwrap();
        let (send, connection) = builder.handshake(stream).await.unwrap();
        tokio::spawn(connection);
        Self { send }
    }

    /// Begins a request whose body follows.
    pub async fn begin(&self, request: Request<()>) -> (ResponseFuture, SendStream<Bytes>) {
        let ready = timeout(DEADLINE, self.send.clone().ready());
        let mut send = ready.await.expect("a free stream").unwrap();
        send.send_request(request, false).unwrap()
    }

    /// Sends a request with this body. Fails if the gateway resets the stream.
    pub async fn send(&self, request: Request<()>, body: &'static str) -> Result<Answer, h2::Error> {
        let (response, mut upload) = self.begin(request).await;
        // The gateway may have reset the stream.
        drop(upload.send_data(Bytes::from_static(body.as_bytes()), true));
        receive(response).await
    }
}

/// Receives a whole response.
pub async fn receive(response: ResponseFuture) -> Result<Answer, h2::Error> {
    let receiving = async {
        let (head, body) = response.await?.into_parts();
        read(head.status, &head.headers, body).await
    };
    timeout(DEADLINE, receiving).await.expect("a response or a reset")
}

async fn read(status: StatusCode, headers: &HeaderMap, mut body: RecvStream) -> Result<Answer, h2::Error> {
    let mut text = Vec::new();
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        text.extend(data);
    }
    let lines = headers
        .iter()
        .map(|(name, value)| format!("{name}: {}\r\n", value.to_str().unwrap()));
    Ok(Answer {
        status: status.as_u16(),
        head: lines.collect(),
        body: String::from_utf8(text).unwrap(),
    })
}
