//! [`MIGRATIONS`]: the SQL of the schema, one step for each version. New steps are appended.

use bespoke_storage::Migration;

/// Every migration from an empty database to the schema of this version, oldest first. A released migration is never
/// changed. Older code may read and write the database after an additive migration (`min_reader`, `min_writer`).
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        sql: include_str!("migrations/0001_accounts_keys_sets.sql"),
        min_reader: 1,
        min_writer: 1,
    },
    Migration {
        version: 2,
        sql: include_str!("migrations/0002_limits.sql"),
        min_reader: 1,
        min_writer: 1,
    },
    Migration {
        version: 3,
        sql: include_str!("migrations/0003_deactivated_accounts.sql"),
        min_reader: 1,
        min_writer: 1,
    },
    Migration {
        version: 4,
        sql: include_str!("migrations/0004_written_bytes.sql"),
        min_reader: 1,
        min_writer: 1,
    },
    Migration {
        version: 5,
        sql: include_str!("migrations/0005_exported_bytes.sql"),
        min_reader: 1,
        min_writer: 1,
    },
    Migration {
        version: 6,
        sql: include_str!("migrations/0006_written_credentials.sql"),
        min_reader: 1,
        min_writer: 1,
    },
    Migration {
        version: 7,
        sql: include_str!("migrations/0007_username_skeletons.sql"),
        min_reader: 1,
        min_writer: 1,
    },
    Migration {
        version: 8,
        sql: include_str!("migrations/0008_public_counters.sql"),
        min_reader: 1,
        min_writer: 1,
    },
];

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bespoke_core::{BlindIndex, FieldCipher, KEY_BYTES, Key, Random};
    use rusqlite::Connection;

    use super::*;
    use crate::{Db, Vault, users};

    /// The id of the account that is deleted.
    const ID: i64 = 7;

    struct NoRandom;

    impl Random for NoRandom {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(1);
        }
    }

    fn database() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        for migration in MIGRATIONS {
            connection.execute_batch(migration.sql).unwrap();
        }
        connection
    }

    fn texts(connection: &Connection, sql: &str, parameter: &str) -> Vec<String> {
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([parameter], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// Returns the tables whose rows belong to an account.
    fn owned(connection: &Connection) -> Vec<String> {
        let sql = "SELECT tables.name FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns
             WHERE tables.type = 'table' AND columns.name = ?1";
        texts(connection, sql, "user_id")
    }

    /// Inserts a row with `values`. The other columns get arbitrary values of their types.
    fn insert(connection: &Connection, table: &str, values: &[(&str, i64)]) {
        let sql = "SELECT name || ' ' || type FROM pragma_table_info(?1)";
        let columns = texts(connection, sql, table);
        let (mut names, mut literals) = (Vec::new(), Vec::new());
        for column in &columns {
            let (name, kind) = column.split_once(' ').unwrap();
            let value = values.iter().find(|(given, _)| *given == name);
            literals.push(match (value, kind) {
                (Some((_, value)), _) => value.to_string(),
                (None, "TEXT") => format!("'{table}'"),
                (None, "BLOB") => "x'00112233445566778899aabbccddeeff'".to_owned(),
                (None, _) => "1".to_owned(),
            });
            names.push(name);
        }
        let sql = format!(
            "INSERT OR REPLACE INTO {table} ({}) VALUES ({})",
            names.join(", "),
            literals.join(", ")
        );
        connection.execute(&sql, []).unwrap();
    }

    fn count(connection: &Connection, table: &str) -> i64 {
        let sql = format!("SELECT COUNT(*) FROM {table}");
        connection.query_row(&sql, [], |row| row.get(0)).unwrap()
    }

    /// During a deployment, the previous version runs next to the new one. After a rollback, it runs alone.
    #[test]
    fn previous_version_can_use_each_migration() {
        for pair in MIGRATIONS.windows(2) {
            let [before, migration] = pair else { unreachable!() };
            let needed = migration.min_reader.max(migration.min_writer);
            assert!(needed <= before.version, "migration {}", migration.version);
        }
    }

    #[test]
    fn deleting_an_account_deletes_its_records() {
        let connection = database();
        insert(&connection, "users", &[("id", ID)]);
        insert(&connection, "subscribers", &[]);
        let owned = owned(&connection);
        assert!(owned.len() >= 8, "{owned:?}");
        for table in &owned {
            insert(&connection, table, &[("user_id", ID)]);
        }
        let key = Key::from_bytes([1; KEY_BYTES]);
        let vault = Vault::new(FieldCipher::new(&key, &[]), BlindIndex::new(&key), Arc::new(NoRandom));
        let db = Db {
            connection: &connection,
            vault: &vault,
            read_cache: None,
        };
        users::delete(&db, ID).unwrap();
        for table in owned.iter().map(String::as_str).chain(["users", "subscribers"]) {
            assert_eq!(count(&connection, table), 0, "{table}");
        }
    }

    #[test]
    fn stored_records_are_counted_by_account() {
        let connection = database();
        insert(&connection, "users", &[("id", ID)]);
        let counted = || {
            let sql = "SELECT sets, patterns, bookmarks, api_keys, text_bytes FROM account_storage";
            let count = |row: &rusqlite::Row<'_>| (0..5).map(|at| row.get(at)).collect::<Result<Vec<i64>, _>>();
            connection.query_row(sql, [], count).unwrap()
        };
        for (table, columns, expected) in [
            ("sets", 3, [1, 0, 0, 0]),
            ("patterns", 4, [0, 1, 0, 0]),
            ("bookmarks", 2, [0, 0, 1, 0]),
            ("api_keys", 1, [0, 0, 0, 1]),
            ("suggestions", 1, [0, 0, 0, 0]),
        ] {
            insert(&connection, table, &[("user_id", ID)]);
            assert_eq!(counted(), [&expected[..], &[columns * 16]].concat(), "{table}");
            let column = crate::keys::sealed::columns(table)[0];
            let longer = format!("UPDATE {table} SET {column} = zeroblob(20)");
            connection.execute(&longer, []).unwrap();
            assert_eq!(counted()[4], columns * 16 + 4, "{table}");
            connection.execute(&format!("DELETE FROM {table}"), []).unwrap();
            assert_eq!(counted(), [0; 5], "{table}");
        }
    }

    #[test]
    fn complete_rows_count_as_written() {
        let connection = database();
        insert(&connection, "users", &[("id", ID)]);
        let written = || -> i64 {
            let sql = "SELECT coalesce(sum(written_bytes), 0) FROM account_storage";
            connection.query_row(sql, [], |row| row.get(0)).unwrap()
        };
        let mut total = 0;
        // The two texts of the account, and those of each kind of record: 16 bytes each.
        for (table, columns) in [
            ("users", 2),
            ("sets", 3),
            ("patterns", 4),
            ("bookmarks", 2),
            ("api_keys", 1),
            ("suggestions", 1),
        ] {
            // The name of the design is not encrypted. Its length is that of the table's name here.
            let design = if table == "patterns" { table.len() as i64 } else { 0 };
            if table != "users" {
                insert(&connection, table, &[("user_id", ID)]);
                total += columns * 16 + design;
            }
            let column = if table == "users" {
                "bio"
            } else {
                crate::keys::sealed::columns(table)[0]
            };
            let change = format!("UPDATE {table} SET {column} = zeroblob(1000)");
            connection.execute(&change, []).unwrap();
            total += (columns - 1) * 16 + 1_000 + design;
            assert_eq!(written(), total, "{table}");
        }
        for sql in [
            "DELETE FROM sets",
            "UPDATE users SET tokens_from = 5",
            "UPDATE api_keys SET calls = 5",
        ] {
            connection.execute(sql, []).unwrap();
            assert_eq!(written(), total, "{sql}");
        }
    }

    #[test]
    fn rows_from_before_a_migration_are_counted() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(MIGRATIONS[0].sql).unwrap();
        insert(&connection, "users", &[("id", ID)]);
        for table in ["sets", "patterns", "bookmarks", "api_keys", "suggestions"] {
            insert(&connection, table, &[("user_id", ID)]);
        }
        connection.execute_batch(MIGRATIONS[1].sql).unwrap();
        let sql = "SELECT sets + patterns + bookmarks + api_keys, text_bytes FROM account_storage";
        let counted = connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)));
        assert_eq!(counted.unwrap(), (4, (3 + 4 + 2 + 1 + 1) * 16));
    }

    #[test]
    fn references_to_accounts_are_indexed_and_cascade() {
        let connection = database();
        for table in owned(&connection) {
            let sql = "SELECT \"table\" || ' ' || \"from\" || ' ' || on_delete FROM pragma_foreign_key_list(?1)";
            let references = texts(&connection, sql, &table);
            assert!(
                references.contains(&"users user_id CASCADE".to_owned()),
                "{table}: {references:?}"
            );
            let sql =
                "SELECT columns.name FROM pragma_index_list(?1) AS indexes, pragma_index_info(indexes.name) AS columns
                 WHERE columns.seqno = 0 UNION SELECT name FROM pragma_table_info(?1) WHERE pk = 1";
            assert!(
                texts(&connection, sql, &table).contains(&"user_id".to_owned()),
                "{table}"
            );
        }
    }
}
