//! What one request hands on to those that it causes.

use std::future::Future;

use reqwest::header::HeaderValue;

tokio::task_local! {
    static CURRENT: TraceContext;
}

/// The request on whose behalf calls are made: its id and its trace go along with them, so that the logs of all services that
/// it went through can be put together.
#[derive(Clone, Debug)]
pub struct TraceContext {
    pub(super) request_id: Option<HeaderValue>,
    /// W3C Trace Context §3.2.
    pub(super) trace_parent: Option<HeaderValue>,
}

impl TraceContext {
    /// The context of a request with this id, and with this `traceparent` where it came with one. What can't stand in a header
    /// is left out.
    #[must_use]
    pub fn new(request_id: &str, trace_parent: Option<&str>) -> Self {
        let trace_parent = trace_parent.filter(|text| is_trace_parent(text));
        Self {
            request_id: HeaderValue::from_str(request_id).ok(),
            trace_parent: trace_parent.and_then(|text| HeaderValue::from_str(text).ok()),
        }
    }

    /// Whatever request this task works for.
    pub(super) fn current() -> Option<Self> {
        CURRENT.try_with(Self::clone).ok()
    }

    /// Runs `work` on behalf of this request.
    pub async fn scope<F: Future>(self, work: F) -> F::Output {
        CURRENT.scope(self, work).await
    }

    /// Has `work` done on behalf of whatever request the caller works for, also where it is spawned as a task of its own.
    pub fn inherit<F: Future>(work: F) -> impl Future<Output = F::Output> {
        let context = Self::current();
        async move {
            match context {
                Some(context) => context.scope(work).await,
                None => work.await,
            }
        }
    }
}

/// Version 00, the one there is: `00-<32 hex digits>-<16>-<2>`, in small letters, the first two of them not all zeros.
fn is_trace_parent(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').collect();
    let [version, trace, parent, flags] = parts.as_slice() else {
        return false;
    };
    let is_hex = |part: &str, length| {
        part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_id = |part: &str, length| is_hex(part, length) && part.bytes().any(|digit| digit != b'0');
    *version == "00" && is_id(trace, 32) && is_id(parent, 16) && is_hex(flags, 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_trace_parent_has_the_form_that_the_standard_gives_it() {
        assert!(is_trace_parent(TRACE));
        for wrong in [
            "",
            "00",
            &TRACE.to_uppercase(),
            &TRACE.replacen("00", "01", 1),
            &TRACE[..54],
            &TRACE.replace('-', "_"),
            &TRACE.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            &TRACE.replace("b7ad6b7169203331", &"0".repeat(16)),
        ] {
            assert!(!is_trace_parent(wrong), "{wrong}");
        }
    }

    #[tokio::test]
    async fn work_knows_for_whom_it_is_done_and_what_it_spawns_does_not() {
        assert!(TraceContext::current().is_none());
        let context = TraceContext::new("an-id", Some("nonsense"));
        let work = async {
            let inside = TraceContext::current().map(|context| (context.request_id, context.trace_parent));
            let spawned = tokio::spawn(async { TraceContext::current().is_none() });
            (inside, spawned.await)
        };
        let (inside, spawned) = context.scope(work).await;
        assert_eq!(inside, Some((Some(HeaderValue::from_static("an-id")), None)));
        assert!(spawned.unwrap());
    }
}
