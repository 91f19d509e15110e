//! The table of routes: what a function serves, who may call it, and how it describes itself.

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

use crate::Context;
use crate::auth::{Access, Gate};

/// How the last segment of a path says that callers prove who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `/jwt`: a token over Bearer.
    Jwt,
    /// `/key`: an API key over Basic.
    Key,
}

impl Scheme {
    /// Both, as a path that ends in `/{auth}` has them.
    pub const BOTH: [Self; 2] = [Self::Jwt, Self::Key];

    /// The last segment.
    pub const fn segment(self) -> &'static str {
        match self {
            Self::Jwt => "jwt",
            Self::Key => "key",
        }
    }

    fn of(path: &str) -> Option<Self> {
        Self::BOTH
            .into_iter()
            .find(|scheme| path.ends_with(&format!("/{}", scheme.segment())))
    }
}

pub(crate) type BoxedHandler =
    Arc<dyn Fn(Request, Context) -> Pin<Box<dyn Future<Output = Response> + Send>> + Send + Sync>;

/// How a route describes itself: the operation, and the schemas that it refers to.
pub struct Description {
    /// The operation, as its handler's `#[utoipa::path]` has it.
    pub operation: Operation,
    /// The schemas, by name.
    pub schemas: Vec<(String, RefOr<Schema>)>,
}

/// One route.
#[derive(Clone)]
pub struct Route {
    /// Name of the function that serves it.
    pub function: &'static str,
    /// Method.
    pub method: Method,
    /// Path as clients write it, `{name}` for its variable parts, in lower case where it is fixed.
    pub path: String,
    /// Path as it stands in the description: one that ends in `/{auth}` is two routes, unless they are described apart.
    pub described_path: String,
    /// How callers prove who they are.
    pub scheme: Option<Scheme>,
    /// Who may call it.
    pub access: Access,
    /// What a key that has scopes needs for it; `None` where no such key may call.
    pub scopes: NeededScopes,
    /// Whether it takes an `Idempotency-Key`.
    pub repeatable: bool,
    /// Whether it takes an `If-Match`.
    pub conditional: bool,
    /// Whether its answer is kept and packed.
    pub kept: Option<KeptBy>,
    /// Whether calls without authentication count as reads, because it changes nothing for strangers.
    pub reads: bool,
    /// Whether it writes to the database or the bucket, so that a request is handled to its end, also if its client leaves.
    pub writes: bool,
    /// The number of its function among those of the gateway.
    pub(crate) group: usize,
    /// Describes it; made only when somebody asks.
    pub describe: fn() -> Description,
    pub(crate) handler: BoxedHandler,
}

/// On what terms a route is called: what of it a request takes along.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) scheme: Option<Scheme>,
    pub(crate) access: Access,
    pub(crate) scopes: NeededScopes,
}

impl Route {
    pub(crate) const fn terms(&self) -> Terms {
        Terms {
            scheme: self.scheme,
            access: self.access,
            scopes: self.scopes,
        }
    }
}

/// What an answer that is kept follows from, beside the state of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptBy {
    /// The path alone.
    Path,
    /// The path and the query.
    Query,
}

impl KeptBy {
    pub(crate) fn key(self, uri: &Uri) -> String {
        match (self, uri.path_and_query()) {
            (Self::Query, Some(whole)) => whole.to_string(),
            _ => uri.path().to_owned(),
        }
    }
}

/// What an API key that has scopes needs for a route: all of these; `None` where no such key may call.
pub type NeededScopes = Option<&'static [Scope]>;

/// A handler together with its description. Made by [`crate::route!`].
pub struct Described<H, T> {
    handler: H,
    methods: Vec<HttpMethod>,
    path: String,
    describe: fn() -> Description,
    scopes: NeededScopes,
    apart: bool,
    repeatable: bool,
    conditional: bool,
    kept: Option<KeptBy>,
    reads: bool,
    writes: bool,
    arguments: PhantomData<fn(T)>,
}

impl<H: Handler<T, Context>, T: 'static> Described<H, T> {
    /// A handler that `P`, made by `#[utoipa::path]`, describes.
    pub fn new<P: utoipa::Path + SchemaReferences + for<'t> Tags<'t>>(_: P, handler: H) -> Self {
        let describe = || {
            let (mut operation, mut schemas) = (P::operation(), Vec::new());
            P::schemas(&mut schemas);
            operation.tags = Some(P::tags().into_iter().map(str::to_owned).collect());
            Description { operation, schemas }
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
            kept: None,
            reads: P::methods().contains(&HttpMethod::Get),
            writes: !P::methods().contains(&HttpMethod::Get),
            arguments: PhantomData,
        }
    }

    /// Lets API keys call that have scopes, when they have all of these.
    #[must_use]
    pub fn scopes(self, scopes: &'static [Scope]) -> Self {
        Self {
            scopes: Some(scopes),
            ..self
        }
    }

    /// Takes an `Idempotency-Key`: the handler makes what it makes with [`crate::Caller::create`].
    #[must_use]
    pub fn repeatable(self) -> Self {
        Self {
            repeatable: true,
            ..self
        }
    }

    /// Takes an `If-Match`: the handler asks [`crate::IfMatch`] before it changes anything.
    #[must_use]
    pub fn conditional(self) -> Self {
        Self {
            conditional: true,
            ..self
        }
    }

    /// Has the answer kept, and packed for whoever takes gzip: for a public GET whose answer follows from that and from the database.
    #[must_use]
    pub fn kept(self, by: KeptBy) -> Self {
        Self { kept: Some(by), ..self }
    }

    /// Counts as a read, where the method is another: it computes something of its body and changes nothing.
    #[must_use]
    pub fn reads(self) -> Self {
        Self {
            reads: true,
            writes: false,
            ..self
        }
    }

    /// Writes, although it is a GET: it makes something, or leaves an entry in the audit. Otherwise [`Session::write`](crate::Session::write)
    /// stops in debug builds.
    #[must_use]
    pub fn writes(self) -> Self {
        Self { writes: true, ..self }
    }

    /// Describes `/jwt` and `/key` as two paths: where `/{auth}` could be taken for another path with a parameter in its
    /// place.
    #[must_use]
    pub fn apart(self) -> Self {
        Self { apart: true, ..self }
    }
}

/// A handler and what its `#[utoipa::path]` says of it: `route!(create)` or `route!(create::create)`. A handler without
/// that attribute does not compile here.
#[macro_export]
macro_rules! route {
    ($handler:ident) => {
        $crate::pastey::paste! { $crate::Described::new([<__path_ $handler>], $handler) }
    };
    ($module:ident::$handler:ident) => {
        $crate::pastey::paste! { $crate::Described::new($module::[<__path_ $handler>], $module::$handler) }
    };
}

/// The routes of one function.
#[derive(Clone)]
pub struct Routes {
    function: &'static str,
    routes: Vec<Route>,
}

impl Routes {
    /// No routes yet, for the function of that name.
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

    /// Registers a handler where its description says: `.with(route!(create))`. A path that ends in `/{auth}` gives two
    /// routes, `/jwt` and `/key`, from the one handler. The first argument of the handler says who may call:
    /// [`crate::Public`], [`crate::Guest`] or [`crate::Caller`]; without one it does not compile.
    ///
    /// # Panics
    /// When a public route has an authentication scheme, or one for callers has none: a mistake in the table.
    #[must_use]
    #[expect(private_bounds, reason = "only the extractors of this crate can be a gate")]
    pub fn with<H: Handler<T, Context>, T: Gated + 'static>(mut self, described: Described<H, T>) -> Self {
        let Described {
            handler,
            methods,
            path: described_path,
            describe,
            scopes,
            apart,
            repeatable,
            conditional,
            kept,
            reads,
            writes,
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
            let scheme = Scheme::of(&path);
            assert_eq!(
                scheme.is_none(),
                T::ACCESS == Access::Public,
                "{path}: gate and path disagree"
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
                    kept,
                    reads,
                    writes,
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

/// A handler's list of arguments that begins with a gate.
pub(crate) trait Gated {
    const ACCESS: Access;
}

macro_rules! gated {
    ($($argument:ident),*) => {
        impl<M, G: Gate, $($argument),*> Gated for (M, G, $($argument,)*) {
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
