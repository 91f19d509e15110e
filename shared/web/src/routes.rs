//! The table of routes: what a function serves, and who may call it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::extract::Request;
use axum::handler::Handler;
use axum::response::Response;
use http::Method;

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
    const BOTH: [Self; 2] = [Self::Jwt, Self::Key];

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

/// One route.
#[derive(Clone)]
pub struct Route {
    /// Name of the function that serves it.
    pub function: &'static str,
    /// Method.
    pub method: Method,
    /// Path as clients write it, `{name}` for its variable parts, in lower case where it is fixed.
    pub path: String,
    /// How callers prove who they are.
    pub scheme: Option<Scheme>,
    /// Who may call it.
    pub access: Access,
    pub(crate) handler: BoxedHandler,
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

    /// Registers a handler for a method and path. A path that ends in `/{auth}` gives two routes, `/jwt` and `/key`,
    /// from the one handler. The first argument of the handler says who may call: [`crate::Public`],
    /// [`crate::Guest`] or [`crate::Caller`]; without one it does not compile.
    ///
    /// # Panics
    /// When a public route has an authentication scheme, or one for callers has none: a mistake in the table.
    #[must_use]
    #[expect(private_bounds, reason = "only the extractors of this crate can be a gate")]
    pub fn route<H, T>(mut self, method: &Method, path: &str, handler: H) -> Self
    where
        H: Handler<T, Context>,
        T: Gated + 'static,
    {
        let handler: BoxedHandler = Arc::new(move |request, context| {
            let handler = handler.clone();
            Box::pin(handler.call(request, context))
        });
        let paths = match path.strip_suffix("{auth}") {
            Some(stem) => Scheme::BOTH
                .iter()
                .map(|scheme| format!("{stem}{}", scheme.segment()))
                .collect(),
            None => vec![path.to_owned()],
        };
        for path in paths {
            let scheme = Scheme::of(&path);
            assert_eq!(
                scheme.is_none(),
                T::ACCESS == Access::Public,
                "{path}: gate and path disagree"
            );
            let (method, handler) = (method.clone(), Arc::clone(&handler));
            self.routes.push(Route {
                function: self.function,
                method,
                path,
                scheme,
                access: T::ACCESS,
                handler,
            });
        }
        self
    }

    /// Registers a GET route.
    #[must_use]
    #[expect(private_bounds, reason = "see `route`")]
    pub fn get<H: Handler<T, Context>, T: Gated + 'static>(self, path: &str, handler: H) -> Self {
        self.route(&Method::GET, path, handler)
    }

    /// Registers a POST route.
    #[must_use]
    #[expect(private_bounds, reason = "see `route`")]
    pub fn post<H: Handler<T, Context>, T: Gated + 'static>(self, path: &str, handler: H) -> Self {
        self.route(&Method::POST, path, handler)
    }

    /// Registers a PATCH route.
    #[must_use]
    #[expect(private_bounds, reason = "see `route`")]
    pub fn patch<H: Handler<T, Context>, T: Gated + 'static>(self, path: &str, handler: H) -> Self {
        self.route(&Method::PATCH, path, handler)
    }

    /// Registers a DELETE route.
    #[must_use]
    #[expect(private_bounds, reason = "see `route`")]
    pub fn delete<H: Handler<T, Context>, T: Gated + 'static>(self, path: &str, handler: H) -> Self {
        self.route(&Method::DELETE, path, handler)
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
