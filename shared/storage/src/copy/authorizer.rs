//! [`WriteAuthorizer`]: rejects the statements that the closure of a write must not execute.
//!
//! A closure must not end its transaction, attach other databases, create temporary tables, change the engine's own
//! table of commits, or change the file format. SQLite asks the authorizer when a statement is prepared.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

use crate::copy::engine_tables::{COMMITS_TABLE, SAVEPOINT};

/// Pragmas that are allowed without an argument, because they only read.
const WITHOUT_ARGUMENT: [&str; 20] = [
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
/// Pragmas that are allowed with an argument, because they only read, or change only pages. Changed pages are part of
/// the commit.
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

/// The authorizer of the write connection.
#[derive(Default)]
pub(crate) struct WriteAuthorizer {
    /// Whether statements are checked: a closure prepares them, and not the engine itself.
    is_armed: AtomicBool,
    /// Whether a statement was prepared whose changes `total_changes` does not count.
    saw_uncounted: AtomicBool,
}

impl WriteAuthorizer {
    pub(crate) fn install(connection: &mut Connection) -> rusqlite::Result<Arc<Self>> {
        let authorizer = Arc::new(Self::default());
        let hook = Arc::clone(&authorizer);
        connection.authorizer(Some(move |context: AuthContext<'_>| hook.authorize(&context.action)))?;
        Ok(authorizer)
    }

    /// Begins to check statements. It is called before a closure runs.
    pub(crate) fn arm(&self) {
        self.saw_uncounted.store(false, Ordering::Relaxed);
        self.is_armed.store(true, Ordering::Relaxed);
    }

    /// Stops checking. Returns whether a statement was prepared whose changes `total_changes` does not count.
    pub(crate) fn disarm(&self) -> bool {
        self.is_armed.store(false, Ordering::Relaxed);
        self.saw_uncounted.load(Ordering::Relaxed)
    }

    fn authorize(&self, action: &AuthAction<'_>) -> Authorization {
        if !self.is_armed.load(Ordering::Relaxed) {
            return Authorization::Allow;
        }
        if is_uncounted(action) {
            self.saw_uncounted.store(true, Ordering::Relaxed);
        }
        if is_forbidden(action) {
            Authorization::Deny
        } else {
            Authorization::Allow
        }
    }
}

fn is_forbidden(action: &AuthAction<'_>) -> bool {
    match action {
        AuthAction::Transaction { .. }
        | AuthAction::Attach { .. }
        | AuthAction::Detach { .. }
        // A temporary table would survive the write on this connection, and be missing if a retry uses another connection.
        | AuthAction::CreateTempTable { .. }
        | AuthAction::CreateTempIndex { .. }
        | AuthAction::CreateTempTrigger { .. }
        | AuthAction::CreateTempView { .. } => true,
        AuthAction::Savepoint { savepoint_name, .. } => savepoint_name.eq_ignore_ascii_case(SAVEPOINT),
        AuthAction::Pragma { pragma_name, pragma_value } => !is_allowed_pragma(pragma_name, pragma_value.is_some()),
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

fn is_allowed_pragma(name: &str, with_argument: bool) -> bool {
    let list: &[&str] = if with_argument {
        &WITH_ARGUMENT
    } else {
        &WITHOUT_ARGUMENT
    };
    list.iter().any(|allowed| allowed.eq_ignore_ascii_case(name))
}

/// Returns whether `total_changes` does not count the changes of a statement. It counts changed rows only.
fn is_uncounted(action: &AuthAction<'_>) -> bool {
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
