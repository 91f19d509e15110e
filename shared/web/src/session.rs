//! One request's view of the context: the database, asked once whether the local copy is the newest.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::FromRequestParts;
use bespoke_database::{Db, Freshness};
use http::request::Parts;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Context, Error, Result};

/// What a handler works with. The first read of a request asks the bucket whether there is something newer; later
/// reads of the same request do not.
#[derive(Clone)]
pub struct Session {
    context: Context,
    checked: Arc<AtomicBool>,
}

impl std::ops::Deref for Session {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.context
    }
}

impl Session {
    /// A session for one request, or for a piece of work like one.
    pub fn new(context: Context) -> Self {
        Self {
            context,
            checked: Arc::default(),
        }
    }

    /// Reads. `f` may run again.
    ///
    /// # Errors
    /// What `f` gives, or 503 when the bucket does not answer.
    pub async fn read<T: Send>(&self, f: impl FnMut(&Db<'_>) -> Result<T> + Send) -> Result<T> {
        let checked = self.checked.load(Ordering::Relaxed);
        let freshness = if checked { Freshness::Local } else { Freshness::Strict };
        let result = self.context.database().read(freshness, f).await;
        self.checked.store(true, Ordering::Relaxed);
        result
    }

    /// Writes; returns once the bucket has it. `f` may run again and does nothing but SQL. What it returns is at most
    /// 256 bytes: an id, as a rule, and the handler reads the record afterwards.
    ///
    /// # Errors
    /// What `f` gives (then nothing was written), or 503 when it is not known whether the bucket has it.
    pub async fn write<T>(&self, f: impl Fn(&Db<'_>) -> Result<T> + Send + Sync + 'static) -> Result<T>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        let database = self.context.database();
        let result = database.write(database.fresh_commit_id(), f).await;
        if result.is_ok() {
            // The local copy now is at least as new as this write.
            self.checked.store(true, Ordering::Relaxed);
        }
        result
    }
}

impl FromRequestParts<Context> for Session {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, context: &Context) -> Result<Self> {
        Ok(parts
            .extensions
            .get_or_insert_with(|| Self::new(context.clone()))
            .clone())
    }
}
