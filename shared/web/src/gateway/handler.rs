//! The [`Gateway`]: dispatches a request to the handler of its route, and completes the response with the headers that all routes share.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::body::{Body, HttpBody as _};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use bespoke_storage::trace::Position;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, Method, Uri, header};

use super::challenge::challenge;
use super::redirect::PathRedirect;
use super::request_count::RequestCount;
use super::request_ids::{Ids, REQUEST_ID, RequestIds};
use super::response_cache::{ResponseCache, accepts_gzip};
use super::route_table::{RouteMatch, RouteTable};
use super::{conditional_get, cors, headers, request_line, security_headers, unsent};
use crate::access::{Access, Scheme};
use crate::client::ClientIp;
use crate::limits::{RateSubject, ShareHolder};
use crate::observability::spans::SpanRoute;
use crate::observability::{logging, spans, trace_context};
use crate::request::Params;
use crate::response::Error;
use crate::routes::{CacheKey, Route, Routes};
use crate::state::{Context, HeaderCaches, Session};

/// Serves the routes of one or several functions in one process.
pub struct Gateway {
    context: Context,
    /// Whether clients reach this instance over HTTPS.
    over_tls: bool,
    table: RouteTable,
    response_cache: ResponseCache,
    request_ids: RequestIds,
    header_caches: HeaderCaches,
    /// Literal segments of the paths of routes. Other segments may be ids, and are not logged.
    fixed_parts: HashSet<String>,
}

impl Gateway {
    /// Creates a gateway for these functions.
    ///
    /// # Panics
    /// If two routes have the same method and path, or are ambiguous. This is a defect of the table.
    pub fn new(context: Context, functions: impl IntoIterator<Item = Routes>) -> Self {
        let mut routes: Vec<Route> = functions
            .into_iter()
            .flat_map(|routes| routes.iter().cloned().collect::<Vec<_>>())
            .collect();
        let metrics = context.metrics();
        metrics.create_groups(routes.iter().map(|route| route.function));
        for route in &mut routes {
            route.group = metrics.group_of(route.function);
        }
        let fixed_parts = request_line::fixed_parts(&routes);
        let over_tls = context.config().url.starts_with("https://");
        Self {
            context,
            over_tls,
            table: RouteTable::new(routes),
            response_cache: ResponseCache::default(),
            request_ids: RequestIds::default(),
            header_caches: HeaderCaches::default(),
            fixed_parts,
        }
    }

    /// The context of the gateway.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Returns the route that serves a request; `None` if none does.
    pub fn route_of(&self, method: &Method, uri: &Uri) -> Option<Arc<Route>> {
        self.table.find(method, uri).ok().map(|found| found.route)
    }

    /// Handles a request. It always returns a response; a panic of a handler becomes a 500.
    pub async fn handle(&self, mut request: Request) -> Response {
        headers::join(request.headers_mut(), headers::IN_REQUESTS);
        let found = self.find(&request);
        self.handle_found(request, found).await
    }

    /// Handles a request as [`Gateway::handle`], but if its route writes, the request runs to completion even when the client disconnects and
    /// the returned future is dropped. Otherwise a reserved sign-in attempt could stay reserved, or a database row could refer to a file that
    /// was never uploaded.
    pub async fn handle_to_end(self: &Arc<Self>, mut request: Request) -> Response {
        headers::join(request.headers_mut(), headers::IN_REQUESTS);
        let found = self.find(&request);
        if !found.as_ref().is_ok_and(|found| found.route.writes) {
            return self.handle_found(request, found).await;
        }
        let gateway = Arc::clone(self);
        match tokio::spawn(async move { gateway.handle_found(request, found).await }).await {
            Ok(response) => response,
            Err(error) => self.refuse(Error::internal(error)),
        }
    }

    fn find(&self, request: &Request) -> Result<RouteMatch, Error> {
        match request.method() {
            // Preflights match no route. `respond` sends their responses.
            &Method::OPTIONS => Err(Error::unknown_route()),
            method => self.table.find(method, request.uri()),
        }
    }

    async fn handle_found(&self, request: Request, found: Result<RouteMatch, Error>) -> Response {
        let Ids {
            request: id,
            trace: new_trace,
        } = self.request_ids.of(request.headers(), self.context.random());
        let route = found.as_ref().ok().map(|found| SpanRoute {
            path: &found.route.path,
            function: found.route.function,
        });
        let span = spans::of_request(request.method(), route, self.over_tls);
        let caller_trace = trace_context::of(&request, &new_trace);
        // Outgoing calls continue the trace of our span if spans are exported, otherwise that of the caller if there is one.
        let span_trace = spans::set_parent(&span, caller_trace.as_ref());
        let trace = span_trace.or(caller_trace).unwrap_or(new_trace);
        let position = Position::new(Some(trace), span.clone());
        let response = position.run(self.respond_and_log(request, found, id.clone()));
        let response = logging::run_with_request_id(id, response).await;
        spans::end(&span, response.status());
        response
    }

    async fn respond_and_log(&self, request: Request, found: Result<RouteMatch, Error>, id: HeaderValue) -> Response {
        let began = self.context.now();
        let line = request_line::is_logged().then(|| {
            let path = request_line::path(found.as_ref().ok(), request.uri().path(), &self.fixed_parts);
            (spans::method_name(request.method()), path)
        });
        let response = self.respond(request, found, id).await;
        if let Some((method, path)) = line {
            let took_ms = self.context.now().as_millis() - began.as_millis();
            let bytes = response.body().size_hint().exact();
            request_line::log(method, &path, response.status(), took_ms, bytes);
        }
        response
    }

    /// Dispatches the request, and adds the headers that all responses share.
    async fn respond(&self, mut request: Request, found: Result<RouteMatch, Error>, id: HeaderValue) -> Response {
        let session = Session::of(self.context.clone(), &request);
        let client = self.client_of(&mut request);
        request.extensions_mut().insert(session.clone());
        let (method, if_none_match) = (
            request.method().clone(),
            request.headers().get(header::IF_NONE_MATCH).cloned(),
        );
        let cors = cors::Headers::of(request.headers(), &self.context.config().cors_origins);
        let response = match client {
            Err(error) => {
                RequestCount::begin(&self.context, None).end(error.status());
                error.into_response()
            }
            // The metrics do not count preflights.
            Ok(_) if method == Method::OPTIONS => cors::preflight(request.headers()),
            Ok(client) => {
                session.set_network(client.network());
                request.extensions_mut().insert(client);
                let response = self.dispatch(request, found, &session, client);
                let response = AssertUnwindSafe(response).catch_unwind().await;
                response.unwrap_or_else(|_| Error::internal("a handler panicked").into_response())
            }
        };
        self.flush_usage().await;
        let mut response = conditional_get::apply(&method, if_none_match.as_ref(), response).await;
        if method == Method::HEAD {
            *response.body_mut() = Body::empty();
        }
        let headers = response.headers_mut();
        headers.insert(REQUEST_ID, id);
        security_headers::apply(headers, self.over_tls);
        session.write_headers(headers, &self.header_caches);
        cors.apply(headers);
        response
    }

    /// Determines the client's address: from the header that CloudFront adds if an origin secret is set, otherwise from the connection and the
    /// headers of trusted proxies.
    fn client_of(&self, request: &mut Request) -> Result<ClientIp, Error> {
        let config = self.context.config();
        match &config.origin_secret {
            Some(secret) => secret.client_of(request.headers_mut()),
            None => Ok(ClientIp::of(request, config.trusted_proxies.as_ref())),
        }
    }

    /// Builds the response to a request of which nothing else is known: the server could not parse its head, or its task failed. The log shows
    /// `-` as the method and path.
    pub fn refuse(&self, error: Error) -> Response {
        RequestCount::begin(&self.context, None).end(error.status());
        if request_line::is_logged() {
            request_line::log("-", "-", error.status(), 0, None);
        }
        let mut response = error.into_response();
        let headers = response.headers_mut();
        let no_request_headers = HeaderMap::new();
        let ids = self.request_ids.of(&no_request_headers, self.context.random());
        headers.insert(REQUEST_ID, ids.request);
        security_headers::apply(headers, self.over_tls);
        cors::Headers::of(&no_request_headers, &self.context.config().cors_origins).apply(headers);
        response
    }

    /// Flushes the usage counters if they are due. The response waits for the flush, because Lambda freezes the process after the response.
    async fn flush_usage(&self) {
        if let Err(error) = self.context.database().usage().flush(self.context.now()).await {
            tracing::warn!(%error, "usage counters could not be flushed and stay in memory");
        }
    }

    async fn dispatch(
        &self,
        mut request: Request,
        found: Result<RouteMatch, Error>,
        session: &Session,
        client: ClientIp,
    ) -> Response {
        let RouteMatch { route, params } = match found {
            Ok(found) => found,
            Err(error) => {
                // The Lambda host inserts it if only the form of the path is wrong.
                let redirect = request.extensions_mut().remove::<PathRedirect>();
                let response = redirect.map_or_else(|| error.into_response(), PathRedirect::into_response);
                RequestCount::begin(&self.context, None).end(response.status());
                return response;
            }
        };
        let count = RequestCount::begin(&self.context, Some(&route));
        let response = match limit_public_call(&route, session, client) {
            Ok(()) => {
                let response = self.serve(request, &route, params, session).await;
                let network = ShareHolder::Network(client.network().site);
                let receiver = session.account().map_or(network, ShareHolder::Account);
                unsent::reserve_memory(response, receiver, session, &route).await
            }
            Err(error) => error.into_response(),
        };
        count.end(response.status());
        response
    }

    async fn serve(&self, mut request: Request, route: &Route, params: Params, session: &Session) -> Response {
        let scheme = route.scheme;
        request.extensions_mut().insert(params);
        request.extensions_mut().insert(route.access_rules());
        if !route.writes {
            session.forbid_writes();
        }
        let mut response = match route.cache_key {
            Some(key) => {
                let response = self.serve_cached(route, key, request, session).await;
                response.unwrap_or_else(IntoResponse::into_response)
            }
            None => (route.handler)(request, self.context.clone()).await,
        };
        // A handler may respond without any access to the database, for example to an invalid body.
        if !response.status().is_server_error()
            && let Err(error) = session.confirm_caller().await
        {
            response = error.into_response();
        }
        security_headers::set_cache_control(&mut response, &route.method, scheme.is_some());
        if scheme == Some(Scheme::Key) {
            challenge(&mut response);
        }
        response
    }

    /// Serves a route whose responses are the same for all callers, from the response cache if possible.
    async fn serve_cached(
        &self,
        route: &Route,
        key: CacheKey,
        request: Request,
        session: &Session,
    ) -> Result<Response, Error> {
        let gzip = accepts_gzip(request.headers());
        let cache_key = key.of(request.uri());
        if let Some(response) = self.response_cache.get(&cache_key, gzip, session).await? {
            return Ok(response);
        }
        // Taken before the handler runs, so that the response is from this version of the database or a newer one.
        let version = self.context.database().version();
        let response = (route.handler)(request, self.context.clone()).await;
        // A response that was made without a read does not become outdated.
        let version = session.has_read().then_some(version);
        Ok(self.response_cache.insert(cache_key, gzip, response, version).await)
    }
}

/// Counts a call to a route without authentication for the rate limit of the client's network. Other calls are counted for their account and
/// API key.
fn limit_public_call(route: &Route, session: &Session, client: ClientIp) -> Result<(), Error> {
    match route.access {
        Access::Public if route.reads => session.limit(RateSubject::NetworkReads(client.network())),
        Access::Public => session.limit(RateSubject::NetworkWrites(client.network())),
        Access::Guest(_) | Access::Level(_) => Ok(()),
    }
}
