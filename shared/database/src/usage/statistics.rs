//! [`Statistics`] of the complete database, for `bespoke stats` and the public counters.

use bespoke_core::entity::user::{Consent, Status};

use crate::connection::Db;
use crate::error::Result;

/// A design and the number of its patterns.
pub type DesignCount = (String, i64);

/// A user and the number of calls by token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserCalls {
    /// Integer id of the account.
    pub id: i64,
    /// User name.
    pub username: String,
    /// Calls by token.
    pub calls: i64,
}

/// Numbers of records and calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statistics {
    /// Calls by token.
    pub jwt_calls: i64,
    /// Calls by API key.
    pub key_calls: i64,
    /// Accounts.
    pub users: i64,
    /// Patterns.
    pub patterns: i64,
    /// Bookmarks.
    pub bookmarks: i64,
    /// Measurement sets.
    pub sets: i64,
    /// Curated sets.
    pub curated_sets: i64,
    /// API keys.
    pub api_keys: i64,
    /// Confirmed subscribers.
    pub subscribers: i64,
    /// The designs with the most patterns, most first.
    pub designs: Vec<DesignCount>,
    /// The users with a public profile and the most calls, most first.
    pub top_users: Vec<UserCalls>,
}

// The index contains all columns that these statements read. The rows of accounts have long texts, so reading them takes much longer.
const CALLS: &str = "SELECT COUNT(*), COALESCE(SUM(jwt_calls), 0), COALESCE(SUM(key_calls), 0)
     FROM users INDEXED BY users_by_calls WHERE jwt_calls >= 0";
const TOP_USERS: &str = "SELECT id, username, jwt_calls FROM users INDEXED BY users_by_calls
     WHERE jwt_calls > 0 AND status = ?1 AND consent > ?2 ORDER BY jwt_calls DESC, id LIMIT ?3";

/// Counts all records; returns at most `designs` designs and `top_users` users.
///
/// # Errors
/// [`crate::Error`] when a table cannot be read.
pub fn read(db: &Db<'_>, designs: u32, top_users: u32) -> Result<Statistics> {
    let (users, jwt_calls, key_calls) = db
        .first(CALLS, [], |_, row| Ok((row.take()?, row.take()?, row.take()?)))?
        .unwrap_or_default();
    Ok(Statistics {
        jwt_calls,
        key_calls,
        users,
        patterns: count(db, "patterns INDEXED BY patterns_by_user WHERE user_id > 0")?,
        bookmarks: count(db, "bookmarks INDEXED BY bookmarks_by_user WHERE user_id > 0")?,
        sets: count(db, "sets INDEXED BY sets_by_user WHERE user_id > 0")?,
        curated_sets: count(db, "curated_sets WHERE id > 0")?,
        api_keys: count(db, "api_keys INDEXED BY api_keys_by_user WHERE user_id > 0")?,
        subscribers: count(db, "subscribers WHERE active = 1")?,
        designs: db.all(
            "SELECT design, COUNT(*) AS uses FROM patterns WHERE design > '' GROUP BY design
             ORDER BY uses DESC, design LIMIT ?1",
            [designs],
            |_, row| Ok((row.take()?, row.take()?)),
        )?,
        top_users: db.all(
            TOP_USERS,
            (Status::Active as i64, Consent::None as i64, top_users),
            |_, row| {
                Ok(UserCalls {
                    id: row.take()?,
                    username: row.take()?,
                    calls: row.take()?,
                })
            },
        )?,
    })
}

/// Returns the number of accounts.
///
/// # Errors
/// [`crate::Error`] when the table cannot be read.
pub fn users(db: &Db<'_>) -> Result<i64> {
    count(db, "users INDEXED BY users_by_calls WHERE jwt_calls >= 0")
}

fn count(db: &Db<'_>, rows: &str) -> Result<i64> {
    let count = db.first(&format!("SELECT COUNT(*) FROM {rows}"), [], |_, row| Ok(row.take()?))?;
    Ok(count.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::with_account;

    #[test]
    fn statistics_of_accounts_read_no_rows() {
        with_account(|db, _| {
            for sql in [CALLS, TOP_USERS] {
                let parameters = rusqlite::params_from_iter(vec![0; sql.matches('?').count()]);
                let plan: Option<String> = db
                    .first(&format!("EXPLAIN QUERY PLAN {sql}"), parameters, |_, row| {
                        for _ in 0..3 {
                            row.take::<i64>()?;
                        }
                        Ok(row.take()?)
                    })
                    .unwrap();
                let plan = plan.unwrap();
                assert!(plan.contains("USING COVERING INDEX users_by_calls"), "{plan}");
            }
        });
    }
}
