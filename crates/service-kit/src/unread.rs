//! Bodies in chunks that nobody reads to their end. actix-web waits for the rest of one that was dropped, for as long as the
//! client likes; one that is still there when its request has been answered makes it close the connection.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::HttpMessage as _;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::error::PayloadError;
use actix_web::http::header::TRANSFER_ENCODING;
use actix_web::web::Bytes;
use futures_util::Stream;

/// A request's body, which the answer to it shares.
#[derive(Clone)]
pub(crate) struct Shared(Rc<RefCell<Payload>>);

impl Shared {
    /// Takes a share in the request's body, if that comes in chunks.
    pub(crate) fn of(request: &mut ServiceRequest) -> Option<Self> {
        request.headers().contains_key(TRANSFER_ENCODING).then(|| {
            let shared = Self(Rc::new(RefCell::new(request.take_payload())));
            let stream: Pin<Box<dyn Stream<Item = _>>> = Box::pin(shared.clone());
            request.set_payload(Payload::from(stream));
            shared
        })
    }

    /// Keeps the request's body until this answer is sent.
    pub(crate) fn kept_by(self, answer: BoxBody) -> BoxBody {
        BoxBody::new(Answer {
            answer,
            _request: self,
        })
    }
}

impl Stream for Shared {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_next(cx)
    }
}

struct Answer {
    answer: BoxBody,
    _request: Shared,
}

impl MessageBody for Answer {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.answer.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.answer).poll_next(cx)
    }
}
