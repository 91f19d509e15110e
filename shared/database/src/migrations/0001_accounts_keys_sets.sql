-- Accounts, API keys, measurement sets, patterns, bookmarks, curated content, newsletter, audit, confirmations, outbox.
-- Timestamps are milliseconds since the Unix epoch. "Sealed" columns are encrypted and bound to table, column and
-- uuid.

-- One row, with which a process checks that it has the keys of the database.
CREATE TABLE installation (
  id           INTEGER PRIMARY KEY CHECK (id = 1),
  uuid         BLOB    NOT NULL,
  sealed       BLOB    NOT NULL,              -- sealed: the uuid
  email_index  BLOB    NOT NULL               -- keyed hash of the uuid
) STRICT;

CREATE TABLE users (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  uuid        BLOB    NOT NULL UNIQUE,
  username    TEXT    NOT NULL,
  lusername   TEXT    NOT NULL UNIQUE,
  email_index BLOB    NOT NULL UNIQUE,       -- keyed hash of the address
  email       BLOB    NOT NULL,              -- sealed
  initial     BLOB    NOT NULL,              -- sealed
  bio         BLOB    NOT NULL,              -- sealed
  data        BLOB    NOT NULL,              -- sealed JSON object
  ihash       TEXT    NOT NULL UNIQUE,
  password    TEXT    NOT NULL,
  role        TEXT    NOT NULL,
  status      INTEGER NOT NULL,
  consent     INTEGER NOT NULL,
  control     INTEGER NOT NULL,
  compare     INTEGER NOT NULL,
  imperial    INTEGER NOT NULL,
  newsletter  INTEGER NOT NULL,
  language    TEXT    NOT NULL,
  patron      INTEGER NOT NULL,
  mfa_enabled INTEGER NOT NULL,
  quota       INTEGER,                       -- calls a day with each API key; NULL: the default
  jwt_calls   INTEGER NOT NULL,
  key_calls   INTEGER NOT NULL,
  last_seen   INTEGER,
  tokens_from INTEGER NOT NULL,              -- older tokens are refused; a whole second
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX users_inactive ON users (created_at) WHERE status = 0;

-- Secrets shared with authenticator apps; users.mfa_enabled tells whether a code is required at sign-in.
CREATE TABLE second_factors (
  user_id   INTEGER PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
  secret    BLOB    NOT NULL,                -- sealed under the uuid of the account
  last_step INTEGER NOT NULL                 -- step of the last code that signed in
) STRICT;

CREATE TABLE scratch_codes (
  user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  digest  BLOB    NOT NULL,                  -- keyed hash
  PRIMARY KEY (user_id, digest)
) STRICT, WITHOUT ROWID;

-- Failed sign-ins: their number, without the account's name.
CREATE TABLE failed_signins (
  id        INTEGER PRIMARY KEY,
  subject   BLOB    NOT NULL,                -- keyed hash of what was tried
  client    BLOB    NOT NULL,                -- keyed hash of the IP address
  failed_at INTEGER NOT NULL
) STRICT;
CREATE INDEX failed_signins_by_subject ON failed_signins (subject, failed_at, client);
CREATE INDEX failed_signins_by_time ON failed_signins (failed_at);

-- Mails sent at the request of strangers: their number, without the recipient.
CREATE TABLE strangers_mails (
  id        INTEGER PRIMARY KEY,
  recipient BLOB    NOT NULL,                -- keyed hash
  asked_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX strangers_mails_by_recipient ON strangers_mails (recipient, asked_at);
CREATE INDEX strangers_mails_by_time ON strangers_mails (asked_at);

CREATE TABLE api_keys (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  uuid       BLOB    NOT NULL UNIQUE,
  user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  name       BLOB    NOT NULL,               -- sealed
  level      INTEGER NOT NULL,
  secret     BLOB    NOT NULL,               -- SHA-256; moved in and not yet used: JSON text of the original's hash
  old_secret BLOB,                           -- the same of the one before the last rotation
  grace_until INTEGER,                       -- from then on the old secret is refused
  scopes     TEXT,                           -- names with blanks between; NULL: whatever the level allows
  cidr       TEXT,                           -- networks with blanks between; NULL: from everywhere
  instance   TEXT    NOT NULL,
  calls      INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  last_seen  INTEGER
) STRICT;
CREATE INDEX api_keys_by_user ON api_keys (user_id);

-- Revoked keys, so that a holder of the secret can be told why it is refused.
CREATE TABLE revoked_keys (
  id         INTEGER PRIMARY KEY,
  uuid       BLOB    NOT NULL UNIQUE,
  secret     BLOB    NOT NULL,               -- as in api_keys
  revoked_at INTEGER NOT NULL
) STRICT;
CREATE INDEX revoked_keys_by_time ON revoked_keys (revoked_at);

-- Counted calls. The key is its uuid; empty for tokens.
CREATE TABLE usage (
  user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  key     BLOB    NOT NULL,
  day     INTEGER NOT NULL,                  -- UTC, since the Unix epoch
  calls   INTEGER NOT NULL,                  -- all of them
  refused INTEGER NOT NULL,                  -- those of them that were refused
  PRIMARY KEY (user_id, key, day)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_by_day ON usage (day);

CREATE TABLE sets (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  uuid       BLOB    NOT NULL UNIQUE,
  user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  name       BLOB    NOT NULL,               -- sealed
  notes      BLOB    NOT NULL,               -- sealed
  measies    BLOB    NOT NULL,               -- sealed JSON object
  imperial   INTEGER NOT NULL,
  public     INTEGER NOT NULL,
  img        TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX sets_by_user ON sets (user_id);

-- The measurements that designs need, if the operator has stored them; without any row, the built-in list applies.
CREATE TABLE designs (
  name  TEXT NOT NULL PRIMARY KEY,
  needs TEXT NOT NULL                        -- JSON: required and optional
) STRICT, WITHOUT ROWID;

CREATE TABLE confirmations (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  uuid       BLOB    NOT NULL UNIQUE,
  user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  kind       TEXT    NOT NULL,
  secret     BLOB    NOT NULL,               -- sealed: the check of the link
  data       BLOB    NOT NULL,               -- sealed JSON object
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX confirmations_by_user ON confirmations (user_id, kind);
CREATE INDEX confirmations_by_kind ON confirmations (kind, created_at);

-- Sign-ins in progress at a provider. One works once: it is claimed before the provider is queried.
CREATE TABLE oauth_states (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  uuid       BLOB    NOT NULL UNIQUE,
  provider   TEXT    NOT NULL,
  language   TEXT    NOT NULL,
  verifier   BLOB    NOT NULL,               -- sealed
  claimed    INTEGER NOT NULL,
  returned   BLOB,                           -- sealed JSON object: who came back, while a second factor is asked for
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX oauth_states_by_time ON oauth_states (created_at);

-- Mails to be delivered. A row is deleted after the delivery, or with the account of the recipient. A process that is
-- about to send a mail first moves due_at to a later time, so that no other process sends it too.
CREATE TABLE outbox (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  uuid       BLOB    NOT NULL UNIQUE,
  user_id    INTEGER REFERENCES users (id) ON DELETE CASCADE,
  template   TEXT    NOT NULL,
  recipient  BLOB    NOT NULL,               -- sealed
  language   TEXT    NOT NULL,
  action_url BLOB,                           -- sealed
  unsubscribe_url BLOB,                      -- sealed
  details    BLOB,                           -- sealed
  tries      INTEGER NOT NULL DEFAULT 0,
  due_at     INTEGER,                        -- when it may be tried; NULL: given up
  problem    TEXT,                           -- why the last try failed
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX outbox_by_user ON outbox (user_id);
CREATE INDEX outbox_by_due ON outbox (due_at, id);

CREATE TABLE patterns (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  uuid       BLOB    NOT NULL UNIQUE,
  user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  design     TEXT    NOT NULL,
  name       BLOB    NOT NULL,               -- sealed
  notes      BLOB    NOT NULL,               -- sealed
  data       BLOB    NOT NULL,               -- sealed JSON value
  settings   BLOB    NOT NULL,               -- sealed JSON value
  public     INTEGER NOT NULL,
  img        TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX patterns_by_user ON patterns (user_id);
CREATE INDEX patterns_by_design ON patterns (design);

CREATE TABLE bookmarks (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  uuid    BLOB    NOT NULL UNIQUE,
  user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  kind    TEXT    NOT NULL,
  title   BLOB    NOT NULL,                  -- sealed
  url     BLOB    NOT NULL                   -- sealed
) STRICT;
CREATE INDEX bookmarks_by_user ON bookmarks (user_id);

-- Published by curators, without personal data: no column is sealed.
CREATE TABLE curated_sets (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  uuid       BLOB    NOT NULL UNIQUE,
  height     INTEGER NOT NULL,
  names      TEXT    NOT NULL,               -- JSON object, a text for each language
  notes      TEXT    NOT NULL,               -- JSON object, a text for each language
  tags       TEXT    NOT NULL,               -- JSON array
  info       TEXT    NOT NULL,               -- for curators alone
  measies    TEXT    NOT NULL,               -- JSON object
  published  INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX curated_sets_by_height ON curated_sets (height, id);

CREATE TABLE option_packs (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  uuid       BLOB    NOT NULL UNIQUE,
  design     TEXT    NOT NULL,
  names      TEXT    NOT NULL,               -- JSON object, a text for each language
  notes      TEXT    NOT NULL,               -- JSON object, a text for each language
  tags       TEXT    NOT NULL,               -- JSON array
  info       TEXT    NOT NULL,               -- for curators alone
  options    TEXT    NOT NULL,               -- JSON object
  img        TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX option_packs_by_design ON option_packs (design);

-- Suggestions of users to curators: one of their sets, or an option pack.
CREATE TABLE suggestions (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  uuid       BLOB    NOT NULL UNIQUE,
  user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  kind       TEXT    NOT NULL,
  data       BLOB    NOT NULL,               -- sealed JSON object
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX suggestions_by_kind ON suggestions (kind);
CREATE INDEX suggestions_by_user ON suggestions (user_id);

CREATE TABLE subscribers (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  uuid        BLOB    NOT NULL UNIQUE,
  email_index BLOB    NOT NULL UNIQUE,       -- keyed hash of the address
  email       BLOB    NOT NULL,              -- sealed
  language    TEXT    NOT NULL,
  active      INTEGER NOT NULL,
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX subscribers_by_active ON subscribers (active);

-- Actions of administrators. Rows remain after the account of either is deleted, so they do not refer to users.
CREATE TABLE audit (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  uuid       BLOB    NOT NULL UNIQUE,
  created_at INTEGER NOT NULL,
  actor      INTEGER NOT NULL,               -- id of the account that acted
  action     TEXT    NOT NULL,
  target     TEXT,                           -- what was acted upon, as table and id
  before     BLOB    NOT NULL,               -- sealed JSON value
  after      BLOB    NOT NULL                -- sealed JSON value
) STRICT;

-- Exports of accounts, in the bucket as exports/<name>.json.
CREATE TABLE exports (
  id         INTEGER PRIMARY KEY,
  name       TEXT    NOT NULL UNIQUE,
  user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX exports_by_user ON exports (user_id);
CREATE INDEX exports_by_time ON exports (created_at);

-- Objects of the bucket whose row was deleted, until they are deleted too. Triggers insert the rows, so that every way
-- to delete a row is covered.
CREATE TABLE leftovers (
  id     INTEGER PRIMARY KEY AUTOINCREMENT,
  kind   TEXT    NOT NULL,
  record ANY     NOT NULL                    -- what names the object among its kind
) STRICT;
CREATE TRIGGER users_leave_image AFTER DELETE ON users BEGIN
  INSERT INTO leftovers (kind, record) VALUES ('account', OLD.ihash);
END;
CREATE TRIGGER sets_leave_image AFTER DELETE ON sets WHEN OLD.img = 'set-' || OLD.id BEGIN
  INSERT INTO leftovers (kind, record) VALUES ('set', OLD.id);
END;
CREATE TRIGGER patterns_leave_image AFTER DELETE ON patterns WHEN OLD.img = 'pattern-' || OLD.id BEGIN
  INSERT INTO leftovers (kind, record) VALUES ('pattern', OLD.id);
END;
CREATE TRIGGER curated_sets_leave_image AFTER DELETE ON curated_sets BEGIN
  INSERT INTO leftovers (kind, record) VALUES ('curated set', OLD.id);
END;
CREATE TRIGGER option_packs_leave_image AFTER DELETE ON option_packs WHEN OLD.img = 'opack-' || OLD.id BEGIN
  INSERT INTO leftovers (kind, record) VALUES ('option pack', OLD.id);
END;
CREATE TRIGGER suggestions_leave_image AFTER DELETE ON suggestions BEGIN
  INSERT INTO leftovers (kind, record) VALUES ('suggestion', OLD.uuid);
END;
CREATE TRIGGER exports_leave_file AFTER DELETE ON exports BEGIN
  INSERT INTO leftovers (kind, record) VALUES ('export', OLD.name);
END;

-- The import of a legacy database: one row, the progress of each of its tables, and issues of single rows.
CREATE TABLE imports (
  id          INTEGER PRIMARY KEY CHECK (id = 1),
  source      BLOB    NOT NULL,              -- SHA-256 of the file
  finished_at INTEGER
) STRICT;
CREATE TABLE import_tables (
  name     TEXT    PRIMARY KEY,
  last_row INTEGER NOT NULL,                 -- rowid of the last one that was read
  rows     INTEGER NOT NULL,                 -- how many were read
  stored   INTEGER NOT NULL                  -- how many of those were stored
) STRICT;
CREATE TABLE import_notes (
  id      INTEGER PRIMARY KEY,
  name    TEXT    NOT NULL,                  -- of the table
  row     TEXT    NOT NULL,                  -- its id
  verdict TEXT    NOT NULL,
  reason  TEXT    NOT NULL
) STRICT;

-- The progress of restoring a backup; no row if no restore is in progress.
CREATE TABLE refills (
  id     INTEGER PRIMARY KEY CHECK (id = 1),
  source BLOB    NOT NULL,                   -- SHA-256 of the file
  name   TEXT    NOT NULL,                   -- table that is under way
  rows   INTEGER NOT NULL                    -- how many of its rows are back
) STRICT;
