//! [`Routes`]: the table of the routes of a function. A [`Route`] has a method, a path, access rules, a handler and a description.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

use axum::extract::Request;
use axum::handler::Handler;
use axum::response::Response;
use bespoke_core::Scope;
use http::{Method, Uri};
use utoipa::__dev::{SchemaReferences, Tags};
use utoipa::openapi::path::{HttpMethod, Operation};
use utoipa::openapi::{RefOr, Schema};

use crate::access::{Access, AccessRules, NeededScopes, Scheme};
use crate::auth::AccessGuard;
use crate::state::Context;

pub(crate) type BoxedHandler =
    Arc<dyn Fn(Request, Context) -> Pin<Box<dyn Future<Output = Response> + Send>> + Send + Sync>;

/// The OpenAPI description of a route: its operation, and the schemas to which the operation refers.
pub struct OperationDescription {
    /// The operation, from the `#[utoipa::path]` of the handler.
    pub operation: Operation,
    /// The schemas, by name.
    pub schemas: Vec<(String, RefOr<Schema>)>,
}

/// A route.
#[derive(Clone)]
pub struct Route {
    /// Name of the function that serves the route.
    pub function: &'static str,
    /// Method.
    pub method: Method,
    /// Path with `{name}` for parameters. Its fixed parts are in lower case.
    pub path: String,
    /// Path in the OpenAPI description. A path that ends in `/{auth}` stands for two routes, unless they are described separately.
    pub described_path: String,
    /// The authentication scheme.
    pub scheme: Option<Scheme>,
    /// The required authentication.
    pub access: Access,
    /// The scopes that a restricted API key needs; `None` if a restricted key may not call the route.
    pub scopes: NeededScopes,
    /// Whether the route supports `Idempotency-Key`.
    pub repeatable: bool,
    /// Whether the route supports `If-Match`.
    pub conditional: bool,
    /// The cache key of the route; `None` if its responses are not cached.
    pub cache_key: Option<CacheKey>,
    /// Whether calls without authentication count as reads.
    pub reads: bool,
    /// Whether the route writes to the database or the bucket. Such a request is handled to its end, also if its client closes the connection.
    pub writes: bool,
    /// Whether the first access of the handler to the database is a write.
    pub writes_first: bool,
    /// The index of its function in the metrics.
    pub(crate) group: usize,
    /// Creates the description on demand.
    pub describe: fn() -> OperationDescription,
    pub(crate) handler: BoxedHandler,
}

impl Route {
    pub(crate) const fn access_rules(&self) -> AccessRules {
        AccessRules {
            scheme: self.scheme,
            access: self.access,
            scopes: self.scopes,
            writes_first: self.writes_first,
        }
    }
}

/// The cache key of a response, in addition to the version of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheKey {
    /// The path.
    Path,
    /// The path and the query.
    Query,
}

impl CacheKey {
    pub(crate) fn of(self, uri: &Uri) -> String {
        match (self, uri.path_and_query()) {
            (Self::Query, Some(path_and_query)) => path_and_query.to_string(),
            _ => uri.path().to_owned(),
        }
    }
}

/// A handler with its description, before it is registered. [`crate::route!`] creates it.
pub struct RouteSpec<H, T> {
    handler: H,
    methods: Vec<HttpMethod>,
    path: String,
    describe: fn() -> OperationDescription,
    scopes: NeededScopes,
    apart: bool,
    repeatable: bool,
    conditional: bool,
    cache_key: Option<CacheKey>,
    reads: bool,
    writes: bool,
    writes_first: bool,
    scheme: Option<Scheme>,
    arguments: PhantomData<fn(T)>,
}

impl<H: Handler<T, Context>, T: 'static> RouteSpec<H, T> {
    /// Combines a handler with its description `P`, which `#[utoipa::path]` generates.
    pub fn new<P: utoipa::Path + SchemaReferences + for<'t> Tags<'t>>(_: P, handler: H) -> Self {
        let describe = || {
            let (mut operation, mut schemas) = (P::operation(), Vec::new());
            P::schemas(&mut schemas);
            operation.tags = Some(P::tags().into_iter().map(str::to_owned).collect());
            OperationDescription { operation, schemas }
        };
        Self {
            handler,
            methods: P::methods(),
            path: P::path(),
            describe,
            scopes: None,
            apart: false,
            repeatable: false,
            conditional: false,
            cache_key: None,
            reads: P::methods().contains(&HttpMethod::Get),
            writes: !P::methods().contains(&HttpMethod::Get),
            writes_first: false,
            scheme: None,
            arguments: PhantomData,
        }
    }

    /// Allows calls with restricted API keys that have all of these scopes.
    #[must_use]
    pub fn scopes(self, scopes: &'static [Scope]) -> Self {
        Self {
            scopes: Some(scopes),
            ..self
        }
    }

    /// Supports `Idempotency-Key`. The handler must create its record with [`crate::Caller::create`].
    #[must_use]
    pub fn repeatable(self) -> Self {
        Self {
            repeatable: true,
            ..self
        }
    }

    /// Supports `If-Match`. The handler must check [`crate::IfMatch`] before it changes the record.
    #[must_use]
    pub fn conditional(self) -> Self {
        Self {
            conditional: true,
            ..self
        }
    }

    /// Caches the responses, and compresses them for clients that accept gzip. Only for a public GET whose response depends on this key and
    /// on the database alone.
    #[must_use]
    pub fn cached(self, key: CacheKey) -> Self {
        Self {
            cache_key: Some(key),
            ..self
        }
    }

    /// Marks a route as read-only although its method is not GET, because it computes its response from the body and changes nothing.
    #[must_use]
    pub fn reads(self) -> Self {
        Self {
            reads: true,
            writes: false,
            ..self
        }
    }

    /// Marks a GET route that writes: it creates something, or records an entry in the audit. Without the mark, [`Session::write`](crate::Session::write)
    /// panics in debug builds.
    #[must_use]
    pub fn writes(self) -> Self {
        Self { writes: true, ..self }
    }

    /// Marks a route whose handler begins with a write, and uses nothing of its [`Caller`](crate::Caller) before. The credentials are then
    /// looked up in the local copy without a revalidation, because the transaction of the write checks them again. This saves one request to
    /// the bucket.
    #[must_use]
    pub fn writes_first(self) -> Self {
        Self {
            writes_first: true,
            ..self
        }
    }

    /// Requires a token although the path does not end in `/jwt`, because existing clients call this path.
    #[must_use]
    pub fn by_token(self) -> Self {
        Self {
            scheme: Some(Scheme::Jwt),
            ..self
        }
    }

    /// Describes `/jwt` and `/key` as two paths, because `/{auth}` would be ambiguous with another path that has a parameter in the same
    /// position.
    #[must_use]
    pub fn apart(self) -> Self {
        Self { apart: true, ..self }
    }
}

/// Combines a handler with the description of its `#[utoipa::path]`: `route!(create)` or `route!(create::create)`. A handler without that
/// attribute does not compile.
#[macro_export]
macro_rules! route {
    ($handler:ident) => {
        $crate::pastey::paste! { $crate::RouteSpec::new([<__path_ $handler>], $handler) }
    };
    ($module:ident::$handler:ident) => {
        $crate::pastey::paste! { $crate::RouteSpec::new($module::[<__path_ $handler>], $module::$handler) }
    };
}

/// The routes of one function.
#[derive(Clone)]
pub struct Routes {
    function: &'static str,
    routes: Vec<Route>,
}

impl Routes {
    /// Creates an empty table for the function of that name.
    pub fn new(function: &'static str) -> Self {
        Self {
            function,
            routes: Vec::new(),
        }
    }

    /// Name of the function.
    pub fn function(&self) -> &'static str {
        self.function
    }

    /// The routes.
    pub fn iter(&self) -> std::slice::Iter<'_, Route> {
        self.routes.iter()
    }

    /// Registers a handler for the method and path of its description: `.with(route!(create))`. A path that ends in `/{auth}` results in two
    /// routes, `/jwt` and `/key`, with the same handler. The first argument of the handler must be [`crate::Public`], [`crate::Guest`] or
    /// [`crate::Caller`]; otherwise the call does not compile.
    ///
    /// # Panics
    /// If a public route has an authentication scheme, or another route has none. This is a defect of the table.
    #[must_use]
    #[expect(private_bounds, reason = "only the extractors of this crate are access guards")]
    pub fn with<H: Handler<T, Context>, T: GuardedArguments + 'static>(mut self, described: RouteSpec<H, T>) -> Self {
        let RouteSpec {
            handler,
            methods,
            path: described_path,
            describe,
            scopes,
            apart,
            repeatable,
            conditional,
            cache_key,
            reads,
            writes,
            writes_first,
            scheme: fixed_scheme,
            ..
        } = described;
        let handler: BoxedHandler = Arc::new(move |request, context| {
            let handler = handler.clone();
            Box::pin(handler.call(request, context))
        });
        let paths = match described_path.strip_suffix("{auth}") {
            Some(stem) => Scheme::BOTH
                .iter()
                .map(|scheme| format!("{stem}{}", scheme.segment()))
                .collect(),
            None => vec![described_path.clone()],
        };
        for path in paths {
            let scheme = Scheme::of(&path).or(fixed_scheme);
            assert_eq!(
                scheme.is_none(),
                T::ACCESS == Access::Public,
                "{path}: the access guard and the path disagree"
            );
            for method in &methods {
                self.routes.push(Route {
                    function: self.function,
                    method: method_of(method),
                    path: path.clone(),
                    described_path: if apart { &path } else { &described_path }.clone(),
                    scheme,
                    access: T::ACCESS,
                    scopes,
                    repeatable,
                    conditional,
                    cache_key,
                    reads,
                    writes,
                    writes_first,
                    group: 0,
                    describe,
                    handler: Arc::clone(&handler),
                });
            }
        }
        self
    }
}

fn method_of(method: &HttpMethod) -> Method {
    match method {
        HttpMethod::Get => Method::GET,
        HttpMethod::Post => Method::POST,
        HttpMethod::Put => Method::PUT,
        HttpMethod::Delete => Method::DELETE,
        HttpMethod::Options => Method::OPTIONS,
        HttpMethod::Head => Method::HEAD,
        HttpMethod::Patch => Method::PATCH,
        HttpMethod::Trace => Method::TRACE,
    }
}

/// The arguments of a handler, which begin with an access guard.
pub(crate) trait GuardedArguments {
    const ACCESS: Access;
}

macro_rules! gated {
    ($($argument:ident),*) => {
        impl<M, G: AccessGuard, $($argument),*> GuardedArguments for (M, G, $($argument,)*) {
            const ACCESS: Access = G::ACCESS;
        }
    };
}

gated!();
gated!(A);
gated!(A, B);
gated!(A, B, C);
gated!(A, B, C, D);
gated!(A, B, C, D, E);
