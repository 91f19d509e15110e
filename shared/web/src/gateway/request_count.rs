//! [`RequestCount`]: counts a request in the metrics when its response is ready.

use bespoke_core::Timestamp;
use http::StatusCode;

use crate::routes::Route;
use crate::state::Context;

/// A request that is being handled. If its handler panics, dropping it counts the request as the 500 that the client gets. A request whose
/// client closes the connection is not counted.
pub(super) struct RequestCount<'a> {
    context: &'a Context,
    route: Option<&'a Route>,
    began: Timestamp,
}

impl<'a> RequestCount<'a> {
    pub(super) fn begin(context: &'a Context, route: Option<&'a Route>) -> Self {
        Self {
            context,
            route,
            began: context.now(),
        }
    }

    /// Counts the request with the status of its response.
    pub(super) fn end(self, status: StatusCode) {
        self.count(status);
        std::mem::forget(self);
    }

    fn count(&self, status: StatusCode) {
        let took_ms = self.context.now().as_millis() - self.began.as_millis();
        let took_ms = u64::try_from(took_ms).unwrap_or(0);
        let scheme = self.route.and_then(|route| route.scheme);
        let group = self.route.map(|route| route.group);
        self.context.metrics().count_request(group, scheme, status, took_ms);
    }
}

impl Drop for RequestCount<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.count(StatusCode::INTERNAL_SERVER_ERROR);
        }
    }
}
