//! The trace context of an incoming request, which is passed on to the calls that the request causes.

use std::future::Future;

use reqwest::header::HeaderValue;

tokio::task_local! {
    static CURRENT: TraceContext;
}

/// The id and trace of an incoming request. All calls made inside [`run`](Self::run) have the same id and trace, so that the
/// logs of all services can be correlated.
#[derive(Clone, Debug)]
pub struct TraceContext {
    pub(super) request_id: Option<HeaderValue>,
    /// The header `traceparent` (W3C Trace Context §3.2).
    pub(super) trace_parent: Option<HeaderValue>,
}

impl TraceContext {
    /// The context of a request with this id and `traceparent`. Invalid values are dropped.
    #[must_use]
    pub fn new(request_id: &str, trace_parent: Option<&str>) -> Self {
        let trace_parent = trace_parent.filter(|text| is_trace_parent(text));
        Self {
            request_id: HeaderValue::from_str(request_id).ok(),
            trace_parent: trace_parent.and_then(|text| HeaderValue::from_str(text).ok()),
        }
    }

    /// The context that the current task runs in.
    pub(super) fn current() -> Option<Self> {
        CURRENT.try_with(Self::clone).ok()
    }

    /// Runs `work` in this context.
    pub async fn run<F: Future>(self, work: F) -> F::Output {
        CURRENT.scope(self, work).await
    }

    /// Captures the current context and returns a future that runs `work` in it, even if that future is spawned as another task.
    pub fn inherit<F: Future>(work: F) -> impl Future<Output = F::Output> {
        let context = Self::current();
        async move {
            match context {
                Some(context) => context.run(work).await,
                None => work.await,
            }
        }
    }
}

/// Whether this text is a `traceparent` (W3C Trace Context §3.2) of version 00, the only version: `00-<trace id>-<parent
/// id>-<flags>`. The parts have 32, 16 and 2 lowercase hex digits. An id must not be all zeros.
#[must_use]
pub fn is_trace_parent(text: &str) -> bool {
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
    fn a_trace_parent_has_the_form_of_the_standard() {
        assert!(is_trace_parent(TRACE));
        for invalid in [
            "",
            "00",
            &TRACE.to_uppercase(),
            &TRACE.replacen("00", "01", 1),
            &TRACE[..54],
            &TRACE.replace('-', "_"),
            &TRACE.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            &TRACE.replace("b7ad6b7169203331", &"0".repeat(16)),
        ] {
            assert!(!is_trace_parent(invalid), "{invalid}");
        }
    }

    #[tokio::test]
    async fn a_context_covers_its_work_but_not_spawned_tasks() {
        assert!(TraceContext::current().is_none());
        let context = TraceContext::new("an-id", Some("invalid"));
        let work = async {
            let inside = TraceContext::current().map(|context| (context.request_id, context.trace_parent));
            let spawned = tokio::spawn(async { TraceContext::current().is_none() });
            (inside, spawned.await)
        };
        let (inside, spawned) = context.run(work).await;
        assert_eq!(inside, Some((Some(HeaderValue::from_static("an-id")), None)));
        assert!(spawned.unwrap());
    }
}
