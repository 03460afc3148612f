//! Keeps chunked bodies that no handler read to the end.
//!
//! actix-http waits without limit for the rest of a chunked body that was dropped. If the body still exists when the
//! response is complete, it closes the connection instead.

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

/// A request's body, shared between the handler and the response.
#[derive(Clone)]
pub(crate) struct UnreadBody(Rc<RefCell<Payload>>);

impl UnreadBody {
    /// Shares the request's body if it is chunked.
    pub(crate) fn share(request: &mut ServiceRequest) -> Option<Self> {
        request.headers().contains_key(TRANSFER_ENCODING).then(|| {
            let shared = Self(Rc::new(RefCell::new(request.take_payload())));
            let stream: Pin<Box<dyn Stream<Item = _>>> = Box::pin(shared.clone());
            request.set_payload(Payload::from(stream));
            shared
        })
    }

    /// A response body that keeps the request's body until it is sent.
    pub(crate) fn keep_until_sent(self, response: BoxBody) -> BoxBody {
        BoxBody::new(ResponseBody {
            response,
            _request: self,
        })
    }
}

impl Stream for UnreadBody {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_next(cx)
    }
}

struct ResponseBody {
    response: BoxBody,
    _request: UnreadBody,
}

impl MessageBody for ResponseBody {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.response.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.response).poll_next(cx)
    }
}
