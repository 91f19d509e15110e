//! What the closure of a write may not do: end the transaction, leave the database, change how SQLite keeps it, or run for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

use crate::environment::Clock;
use crate::limits::STEPS_PER_DEADLINE_CHECK;

/// The engine's own table, one row per commit id.
pub(crate) const COMMITS_TABLE: &str = "_commits";
/// The engine's own table, one row per batch of counts that is in the database.
pub(crate) const USAGE_TABLE: &str = "_usage_merged";
/// The engine's own savepoint.
pub(crate) const SAVEPOINT: &str = "_commits_savepoint";

/// Pragmas that only tell something.
const TELLING: [&str; 20] = [
    "application_id",
    "compile_options",
    "data_version",
    "database_list",
    "defer_foreign_keys",
    "encoding",
    "foreign_key_check",
    "foreign_key_list",
    "foreign_keys",
    "freelist_count",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "page_count",
    "page_size",
    "quick_check",
    "schema_version",
    "table_list",
    "user_version",
];
/// Pragmas that take an argument and only tell something, or change only what a commit carries.
const WITH_ARGUMENT: [&str; 13] = [
    "application_id",
    "defer_foreign_keys",
    "foreign_key_check",
    "foreign_key_list",
    "incremental_vacuum",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "quick_check",
    "table_info",
    "table_xinfo",
    "user_version",
];

/// Stops a connection at a deadline.
#[derive(Clone)]
pub(crate) struct Deadline {
    at_us: Arc<AtomicU64>,
    passed: Arc<AtomicBool>,
}

impl Deadline {
    /// Watches over `connection`.
    pub(crate) fn install(connection: &mut Connection, clock: Arc<dyn Clock>) -> rusqlite::Result<Self> {
        let deadline = Self {
            at_us: Arc::new(AtomicU64::new(u64::MAX)),
            passed: Arc::default(),
        };
        let Self { at_us, passed } = deadline.clone();
        let handler = move || {
            let over = clock.monotonic_us() >= at_us.load(Ordering::Relaxed);
            if over {
                passed.store(true, Ordering::Relaxed);
            }
            over
        };
        connection.progress_handler(STEPS_PER_DEADLINE_CHECK, Some(handler))?;
        Ok(deadline)
    }

    /// Sets the moment, on the clock's monotonic scale.
    pub(crate) fn set(&self, at_us: u64) {
        self.passed.store(false, Ordering::Relaxed);
        self.at_us.store(at_us, Ordering::Relaxed);
    }

    /// Whether a statement was stopped since [`Deadline::set`].
    pub(crate) fn passed(&self) -> bool {
        self.passed.load(Ordering::Relaxed)
    }
}

/// The authorizer of the connection that writes.
#[derive(Default)]
pub(crate) struct Guard {
    active: AtomicBool,
    changed: AtomicBool,
}

impl Guard {
    pub(crate) fn install(connection: &mut Connection) -> rusqlite::Result<Arc<Self>> {
        let guard = Arc::new(Self::default());
        let asked = Arc::clone(&guard);
        connection.authorizer(Some(move |context: AuthContext<'_>| asked.judge(&context.action)))?;
        Ok(guard)
    }

    /// From here on a closure prepares statements, not the engine.
    pub(crate) fn arm(&self) {
        self.changed.store(false, Ordering::Relaxed);
        self.active.store(true, Ordering::Relaxed);
    }

    /// Returns whether something was prepared that changes the database without being counted by `total_changes`.
    pub(crate) fn disarm(&self) -> bool {
        self.active.store(false, Ordering::Relaxed);
        self.changed.load(Ordering::Relaxed)
    }

    fn judge(&self, action: &AuthAction<'_>) -> Authorization {
        if !self.active.load(Ordering::Relaxed) {
            return Authorization::Allow;
        }
        if uncounted(action) {
            self.changed.store(true, Ordering::Relaxed);
        }
        if forbidden(action) {
            Authorization::Deny
        } else {
            Authorization::Allow
        }
    }
}

fn forbidden(action: &AuthAction<'_>) -> bool {
    match action {
        AuthAction::Transaction { .. }
        | AuthAction::Attach { .. }
        | AuthAction::Detach { .. }
        // A temporary table would outlive the write on this connection, and be missing on a second run on another.
        | AuthAction::CreateTempTable { .. }
        | AuthAction::CreateTempIndex { .. }
        | AuthAction::CreateTempTrigger { .. }
        | AuthAction::CreateTempView { .. } => true,
        AuthAction::Savepoint { savepoint_name, .. } => savepoint_name.eq_ignore_ascii_case(SAVEPOINT),
        AuthAction::Pragma { pragma_name, pragma_value } => !pragma_allowed(pragma_name, pragma_value.is_some()),
        AuthAction::Insert { table_name }
        | AuthAction::Update { table_name, .. }
        | AuthAction::Delete { table_name }
        | AuthAction::DropTable { table_name }
        | AuthAction::AlterTable { table_name, .. }
        | AuthAction::CreateIndex { table_name, .. }
        | AuthAction::CreateTrigger { table_name, .. } => table_name.eq_ignore_ascii_case(COMMITS_TABLE),
        _ => false,
    }
}

fn pragma_allowed(name: &str, with_argument: bool) -> bool {
    let list: &[&str] = if with_argument { &WITH_ARGUMENT } else { &TELLING };
    list.iter().any(|allowed| allowed.eq_ignore_ascii_case(name))
}

/// Rows that change are counted; what else changes the database is seen when it is prepared.
fn uncounted(action: &AuthAction<'_>) -> bool {
    !matches!(
        action,
        AuthAction::Insert { .. }
            | AuthAction::Update { .. }
            | AuthAction::Delete { .. }
            | AuthAction::Read { .. }
            | AuthAction::Select
            | AuthAction::Function { .. }
            | AuthAction::Recursive
            | AuthAction::Savepoint { .. }
            | AuthAction::Pragma { pragma_value: None, .. }
    )
}
