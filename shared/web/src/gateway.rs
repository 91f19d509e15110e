//! The way of a request: path, route, handler, and what every answer has in common.

mod cors;
mod etag;
mod ids;
mod kept;
mod request_line;
mod security;

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use bespoke_storage::trace::Position;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use http_body_util::{BodyExt, Collected};
use percent_encoding::percent_decode_str;

use self::ids::{Ids, REQUEST_ID, RequestIds};
use self::kept::Kept;
use crate::error::{INSUFFICIENT_SCOPE, Reason};
use crate::limits::Subject;
use crate::logging;
use crate::metrics::Running;
use crate::session::Said;
use crate::{Access, ClientIp, Context, Error, KeptBy, Params, Route, Routes, Scheme, Session};
use crate::{spans, trace_context};

/// Serves the routes of one function, or of several in one process.
pub struct Gateway {
    context: Context,
    over_tls: bool,
    table: matchit::Router<Vec<Arc<Route>>>,
    kept: Kept,
    request_ids: RequestIds,
    said: Said,
    /// Parts of paths that may be logged.
    fixed_parts: HashSet<String>,
}

/// What a path leads to.
struct Target {
    route: Arc<Route>,
    params: Params,
}

impl Gateway {
    /// A gateway to these functions.
    ///
    /// # Panics
    /// When two routes are the same, or cannot be told apart: a mistake in the table.
    pub fn new(context: Context, functions: impl IntoIterator<Item = Routes>) -> Self {
        let mut by_path = std::collections::BTreeMap::<String, Vec<Arc<Route>>>::new();
        let mut all: Vec<Route> = functions
            .into_iter()
            .flat_map(|routes| routes.iter().cloned().collect::<Vec<_>>())
            .collect();
        context.metrics().number(all.iter_mut());
        let fixed_parts = request_line::fixed_parts(&all);
        for route in all {
            let same_path = by_path.entry(route.path.clone()).or_default();
            assert!(
                same_path.iter().all(|other| other.method != route.method),
                "two routes for {}",
                route.path
            );
            same_path.push(Arc::new(route));
        }
        let mut table = matchit::Router::new();
        for (path, routes) in by_path {
            table
                .insert(path, routes)
                .expect("the paths of the table can be told apart");
        }
        let over_tls = context.config().url.starts_with("https://");
        Self {
            context,
            over_tls,
            table,
            kept: Kept::default(),
            request_ids: RequestIds::default(),
            said: Said::default(),
            fixed_parts,
        }
    }

    /// The context that it serves with.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The route that would answer; `None` when there is none.
    pub fn route_of(&self, method: &Method, uri: &Uri) -> Option<Arc<Route>> {
        self.find(method, uri).ok().map(|target| target.route)
    }

    /// Answers a request. Whatever happens, there is an answer: a panic in a handler is a 500.
    pub async fn handle(&self, request: Request) -> Response {
        let target = self.target(&request);
        self.handle_at(request, target).await
    }

    /// Answers a request as [`Gateway::handle`]. If its route writes, it is handled to its end also if the returned future is dropped because
    /// the client leaves: an attempt that was reserved is settled, and a file is stored for the row that was made for it.
    pub async fn handle_to_end(self: &Arc<Self>, request: Request) -> Response {
        let target = self.target(&request);
        if !target.as_ref().is_ok_and(|target| target.route.writes) {
            return self.handle_at(request, target).await;
        }
        let gateway = Arc::clone(self);
        match tokio::spawn(async move { gateway.handle_at(request, target).await }).await {
            Ok(response) => response,
            Err(error) => self.refuse(Error::internal(error)),
        }
    }

    fn target(&self, request: &Request) -> Result<Target, Error> {
        match request.method() {
            &Method::OPTIONS => Err(Error::unknown_route()),
            method => self.find(method, request.uri()),
        }
    }

    async fn handle_at(&self, request: Request, target: Result<Target, Error>) -> Response {
        let Ids { request: id, trace } = self.request_ids.of(request.headers(), self.context.random());
        let route = target.as_ref().ok().map(|target| &*target.route);
        let span = spans::of_request(request.method(), route, self.over_tls);
        let incoming = trace_context::of(&request, &trace);
        let trace = spans::place(&span, incoming.as_ref()).or(incoming).unwrap_or(trace);
        let position = Position::new(Some(trace), span.clone());
        let response = position.run(self.respond(request, target, id.clone()));
        let response = logging::of_request(id, response).await;
        spans::end(&span, response.status());
        response
    }

    /// Responds, and logs the request.
    async fn respond(&self, request: Request, target: Result<Target, Error>, id: HeaderValue) -> Response {
        let began = self.context.now();
        let line = request_line::is_logged().then(|| {
            let path = request_line::path(target.as_ref().ok(), request.uri().path(), &self.fixed_parts);
            (spans::method_name(request.method()), path)
        });
        let response = self.answer(request, target, id).await;
        if let Some((method, path)) = line {
            let took_ms = self.context.now().as_millis() - began.as_millis();
            let bytes = response.body().size_hint().exact();
            request_line::log(method, &path, response.status(), took_ms, bytes);
        }
        response
    }

    async fn answer(&self, mut request: Request, target: Result<Target, Error>, id: HeaderValue) -> Response {
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
                Running::begin(&self.context, None).end(error.status());
                error.into_response()
            }
            Ok(_) if method == Method::OPTIONS => cors::preflight(request.headers()),
            Ok(client) => {
                request.extensions_mut().insert(client);
                let answer = self.dispatch(request, target, &session, client);
                let answer = AssertUnwindSafe(answer).catch_unwind().await;
                answer.unwrap_or_else(|_| Error::internal("a handler panicked").into_response())
            }
        };
        self.flush_usage().await;
        let mut response = etag::apply(&method, if_none_match.as_ref(), response).await;
        if method == Method::HEAD {
            *response.body_mut() = Body::empty();
        }
        let headers = response.headers_mut();
        headers.insert(REQUEST_ID, id);
        security::apply(headers, self.over_tls);
        session.write_headers(headers, &self.said);
        cors.apply(headers);
        response
    }

    /// The client of a request: behind CloudFront the one that it names, and otherwise the one behind the trusted proxies.
    fn client_of(&self, request: &mut Request) -> Result<ClientIp, Error> {
        let config = self.context.config();
        match &config.origin_secret {
            Some(secret) => secret.client_of(request.headers_mut()),
            None => Ok(ClientIp::of(request, config.trusted_proxies.as_ref())),
        }
    }

    /// The response to a request that the host refuses, because its head cannot be read.
    pub fn refuse(&self, error: Error) -> Response {
        Running::begin(&self.context, None).end(error.status());
        if request_line::is_logged() {
            request_line::log("-", "-", error.status(), 0, None);
        }
        let mut response = error.into_response();
        let headers = response.headers_mut();
        let sent = HeaderMap::new();
        headers.insert(REQUEST_ID, self.request_ids.of(&sent, self.context.random()).request);
        security::apply(headers, self.over_tls);
        cors::Headers::of(&sent, &self.context.config().cors_origins).apply(headers);
        response
    }

    /// Brings counted calls out of the process, where it is time for that: nothing runs after the answer on Lambda.
    async fn flush_usage(&self) {
        if let Err(error) = self.context.database().flush_usage(self.context.now()).await {
            tracing::warn!(%error, "counted calls stay in memory for now");
        }
    }

    async fn dispatch(
        &self,
        mut request: Request,
        target: Result<Target, Error>,
        session: &Session,
        client: ClientIp,
    ) -> Response {
        let Target { route, params } = match target {
            Ok(target) => target,
            Err(error) => {
                let moved = request.extensions_mut().remove::<Moved>();
                let response = moved.map_or_else(|| error.into_response(), Moved::into_response);
                Running::begin(&self.context, None).end(response.status());
                return response;
            }
        };
        let running = Running::begin(&self.context, Some(&route));
        let response = match limit_strangers(&route, session, client) {
            Ok(()) => self.serve(request, &route, params, session).await,
            Err(error) => error.into_response(),
        };
        running.end(response.status());
        response
    }

    async fn serve(&self, mut request: Request, route: &Route, params: Params, session: &Session) -> Response {
        let scheme = route.scheme;
        request.extensions_mut().insert(params);
        request.extensions_mut().insert(route.terms());
        if !route.writes {
            session.note_only_reads();
        }
        let mut response = match route.kept {
            Some(by) => {
                let answer = self.answer_kept(route, by, request, session).await;
                answer.unwrap_or_else(IntoResponse::into_response)
            }
            None => (route.handler)(request, self.context.clone()).await,
        };
        security::keep(&mut response, &route.method, scheme.is_some());
        if scheme == Some(Scheme::Key) {
            challenge(&mut response);
        }
        response
    }

    /// Answers what is the same for everybody.
    async fn answer_kept(
        &self,
        route: &Route,
        by: KeptBy,
        request: Request,
        session: &Session,
    ) -> Result<Response, Error> {
        let (gzip, key) = (kept::takes_gzip(request.headers()), by.key(request.uri()));
        if let Some(answer) = self.kept.get(&key, gzip, session).await? {
            return Ok(answer);
        }
        // What is read after this is at least as new.
        let version = self.context.database().version();
        let response = (route.handler)(request, self.context.clone()).await;
        let of = session.has_read().then_some(version);
        Ok(self.kept.keep(key, gzip, response, of).await)
    }

    /// Finds the route of a path: in any letter case, with or without a slash at its end, HEAD as GET.
    fn find(&self, method: &Method, uri: &Uri) -> Result<Target, Error> {
        let path = uri.path();
        let path = if path.len() > 1 {
            path.strip_suffix('/').unwrap_or(path)
        } else {
            path
        };
        // Lower case has the same length, so the places of the parameters are those in the path as it was sent.
        let folded = path.to_ascii_lowercase();
        let matched = self.table.at(&folded).map_err(|_| Error::unknown_route())?;
        let wanted = if method == Method::HEAD { &Method::GET } else { method };
        let route = matched
            .value
            .iter()
            .find(|route| route.method == wanted)
            .ok_or_else(Error::unknown_route)?;
        let mut params = Params::default();
        for (name, value) in matched.params.iter() {
            let start = value.as_ptr().addr() - folded.as_ptr().addr();
            let sent = &path[start..start + value.len()];
            params.0.push((name.to_owned(), decode(sent)?));
        }
        Ok(Target {
            route: Arc::clone(route),
            params,
        })
    }
}

/// The whole body of an answer of ours.
async fn whole(body: Body) -> Result<Bytes, Error> {
    body.collect().await.map(Collected::to_bytes).map_err(Error::internal)
}

/// Another way of writing a path that another function may know.
#[derive(Debug, Clone)]
pub(crate) struct Moved(pub(crate) HeaderValue);

impl IntoResponse for Moved {
    /// 308: the method and the body stay.
    fn into_response(self) -> Response {
        (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, self.0)]).into_response()
    }
}

/// Counts a call to a route without authentication for the address that it comes from. Others are counted for who calls.
fn limit_strangers(route: &Route, session: &Session, client: ClientIp) -> Result<(), Error> {
    match route.access {
        Access::Public if route.reads => session.limit(Subject::Reader(client.network())),
        Access::Public => session.limit(Subject::Stranger(client.network())),
        Access::Guest(_) | Access::Level(_) => Ok(()),
    }
}

fn decode(part: &str) -> Result<String, Error> {
    let malformed = || Error::bad_request("badRequest");
    let mut rest = part;
    while let Some(position) = rest.find('%') {
        let digits = rest.as_bytes().get(position + 1..position + 3).ok_or_else(malformed)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(malformed());
        }
        rest = &rest[position + 3..];
    }
    percent_decode_str(part)
        .decode_utf8()
        .map(Into::into)
        .map_err(|_| malformed())
}

/// Adds the challenge to a refusal on a `/key` route, with the reason where the caller may know it.
fn challenge(response: &mut Response) {
    let reason = response.extensions().get::<Reason>();
    let code = reason.map_or("unauthorized", |reason| &reason.code);
    let mut challenge = String::from(r#"Basic realm="Users""#);
    match response.status() {
        StatusCode::UNAUTHORIZED if code == "unauthorized" => {}
        StatusCode::UNAUTHORIZED => challenge.push_str(&format!(r#", error="{code}""#)),
        StatusCode::FORBIDDEN if code == INSUFFICIENT_SCOPE => {
            challenge.push_str(&format!(r#", error="{code}""#));
            if let Some(scope) = reason.and_then(|reason| reason.lacking) {
                challenge.push_str(&format!(r#", scope="{scope}""#));
            }
        }
        _ => return,
    }
    if let Ok(value) = HeaderValue::try_from(challenge) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
}
