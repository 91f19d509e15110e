-- Data for limits: networks, reserved calls, names of sets, and the storage of each account.

-- An IPv6 client is counted by its /64 (client) and by its /48 (site).
ALTER TABLE failed_signins ADD COLUMN site BLOB NOT NULL DEFAULT x'';      -- keyed hash of the site
ALTER TABLE strangers_mails ADD COLUMN site BLOB NOT NULL DEFAULT x'';     -- keyed hash of the site that asked for the mail

-- Networks from which an account has signed in: the account-wide lock does not apply there.
CREATE TABLE known_networks (
  user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  network BLOB    NOT NULL,                  -- keyed hash
  last_at INTEGER NOT NULL,
  PRIMARY KEY (user_id, network)
) STRICT, WITHOUT ROWID;
CREATE INDEX known_networks_by_time ON known_networks (last_at);

-- Calls with a key on that day that processes have reserved and not reported yet.
ALTER TABLE usage ADD COLUMN reserved INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage ADD COLUMN reserved_until INTEGER NOT NULL DEFAULT 0;

-- The keyed hash of a set's name, for lookups by name. NULL until maintenance fills it in, for existing rows and for
-- those that older code writes.
ALTER TABLE sets ADD COLUMN name_index BLOB;                               -- keyed hash of account and folded name
CREATE INDEX sets_by_name ON sets (user_id, name_index);
CREATE INDEX sets_without_name_index ON sets (id) WHERE name_index IS NULL;
CREATE TRIGGER sets_lose_name_index AFTER UPDATE OF name ON sets WHEN NEW.name_index IS NOT NULL BEGIN
  UPDATE sets SET name_index = NULL WHERE id = NEW.id;
END;

-- The storage of each account. Triggers maintain it, so that every way to write a row counts, including that of older
-- code.
CREATE TABLE account_storage (
  user_id    INTEGER PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
  sets       INTEGER NOT NULL DEFAULT 0,
  patterns   INTEGER NOT NULL DEFAULT 0,
  bookmarks  INTEGER NOT NULL DEFAULT 0,
  api_keys   INTEGER NOT NULL DEFAULT 0,       -- also those that have expired
  text_bytes INTEGER NOT NULL DEFAULT 0        -- of all sealed columns of these, and of suggestions
) STRICT;
INSERT INTO account_storage (user_id, sets, patterns, bookmarks, api_keys, text_bytes)
SELECT id,
  (SELECT count(*) FROM sets WHERE user_id = users.id),
  (SELECT count(*) FROM patterns WHERE user_id = users.id),
  (SELECT count(*) FROM bookmarks WHERE user_id = users.id),
  (SELECT count(*) FROM api_keys WHERE user_id = users.id),
  (SELECT coalesce(sum(length(name) + length(notes) + length(measies)), 0) FROM sets WHERE user_id = users.id) +
  (SELECT coalesce(sum(length(name) + length(notes) + length(data) + length(settings)), 0) FROM patterns WHERE user_id = users.id) +
  (SELECT coalesce(sum(length(title) + length(url)), 0) FROM bookmarks WHERE user_id = users.id) +
  (SELECT coalesce(sum(length(name)), 0) FROM api_keys WHERE user_id = users.id) +
  (SELECT coalesce(sum(length(data)), 0) FROM suggestions WHERE user_id = users.id)
FROM users WHERE id IN (
  SELECT user_id FROM sets UNION SELECT user_id FROM patterns UNION SELECT user_id FROM bookmarks
  UNION SELECT user_id FROM api_keys UNION SELECT user_id FROM suggestions);
CREATE TRIGGER sets_fill_account AFTER INSERT ON sets BEGIN
  INSERT INTO account_storage (user_id, sets, text_bytes) VALUES (NEW.user_id, 1, length(NEW.name) + length(NEW.notes) + length(NEW.measies))
  ON CONFLICT DO UPDATE SET sets = sets + 1, text_bytes = text_bytes + excluded.text_bytes;
END;
CREATE TRIGGER sets_leave_account AFTER DELETE ON sets BEGIN
  UPDATE account_storage SET sets = sets - 1,
    text_bytes = text_bytes - (length(OLD.name) + length(OLD.notes) + length(OLD.measies))
  WHERE user_id = OLD.user_id;
END;
CREATE TRIGGER sets_change_account AFTER UPDATE OF name, notes, measies ON sets BEGIN
  UPDATE account_storage SET text_bytes = text_bytes + (length(NEW.name) + length(NEW.notes) + length(NEW.measies))
    - (length(OLD.name) + length(OLD.notes) + length(OLD.measies))
  WHERE user_id = NEW.user_id;
END;
CREATE TRIGGER patterns_fill_account AFTER INSERT ON patterns BEGIN
  INSERT INTO account_storage (user_id, patterns, text_bytes) VALUES (NEW.user_id, 1, length(NEW.name) + length(NEW.notes) + length(NEW.data) + length(NEW.settings))
  ON CONFLICT DO UPDATE SET patterns = patterns + 1, text_bytes = text_bytes + excluded.text_bytes;
END;
CREATE TRIGGER patterns_leave_account AFTER DELETE ON patterns BEGIN
  UPDATE account_storage SET patterns = patterns - 1,
    text_bytes = text_bytes - (length(OLD.name) + length(OLD.notes) + length(OLD.data) + length(OLD.settings))
  WHERE user_id = OLD.user_id;
END;
CREATE TRIGGER patterns_change_account AFTER UPDATE OF name, notes, data, settings ON patterns BEGIN
  UPDATE account_storage SET text_bytes = text_bytes + (length(NEW.name) + length(NEW.notes) + length(NEW.data) + length(NEW.settings))
    - (length(OLD.name) + length(OLD.notes) + length(OLD.data) + length(OLD.settings))
  WHERE user_id = NEW.user_id;
END;
CREATE TRIGGER bookmarks_fill_account AFTER INSERT ON bookmarks BEGIN
  INSERT INTO account_storage (user_id, bookmarks, text_bytes) VALUES (NEW.user_id, 1, length(NEW.title) + length(NEW.url))
  ON CONFLICT DO UPDATE SET bookmarks = bookmarks + 1, text_bytes = text_bytes + excluded.text_bytes;
END;
CREATE TRIGGER bookmarks_leave_account AFTER DELETE ON bookmarks BEGIN
  UPDATE account_storage SET bookmarks = bookmarks - 1,
    text_bytes = text_bytes - (length(OLD.title) + length(OLD.url))
  WHERE user_id = OLD.user_id;
END;
CREATE TRIGGER bookmarks_change_account AFTER UPDATE OF title, url ON bookmarks BEGIN
  UPDATE account_storage SET text_bytes = text_bytes + (length(NEW.title) + length(NEW.url))
    - (length(OLD.title) + length(OLD.url))
  WHERE user_id = NEW.user_id;
END;
CREATE TRIGGER api_keys_fill_account AFTER INSERT ON api_keys BEGIN
  INSERT INTO account_storage (user_id, api_keys, text_bytes) VALUES (NEW.user_id, 1, length(NEW.name))
  ON CONFLICT DO UPDATE SET api_keys = api_keys + 1, text_bytes = text_bytes + excluded.text_bytes;
END;
CREATE TRIGGER api_keys_leave_account AFTER DELETE ON api_keys BEGIN
  UPDATE account_storage SET api_keys = api_keys - 1,
    text_bytes = text_bytes - (length(OLD.name))
  WHERE user_id = OLD.user_id;
END;
CREATE TRIGGER api_keys_change_account AFTER UPDATE OF name ON api_keys BEGIN
  UPDATE account_storage SET text_bytes = text_bytes + (length(NEW.name))
    - (length(OLD.name))
  WHERE user_id = NEW.user_id;
END;
CREATE TRIGGER suggestions_fill_account AFTER INSERT ON suggestions BEGIN
  INSERT INTO account_storage (user_id, text_bytes) VALUES (NEW.user_id, length(NEW.data))
  ON CONFLICT DO UPDATE SET text_bytes = text_bytes + excluded.text_bytes;
END;
CREATE TRIGGER suggestions_leave_account AFTER DELETE ON suggestions BEGIN
  UPDATE account_storage SET text_bytes = text_bytes - (length(OLD.data))
  WHERE user_id = OLD.user_id;
END;
CREATE TRIGGER suggestions_change_account AFTER UPDATE OF data ON suggestions BEGIN
  UPDATE account_storage SET text_bytes = text_bytes + (length(NEW.data))
    - (length(OLD.data))
  WHERE user_id = NEW.user_id;
END;

-- Images of pages uploaded by users below the level of a curator: their number, size and page.
CREATE TABLE page_images (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  name       TEXT    NOT NULL UNIQUE,        -- id of the image
  kind       TEXT    NOT NULL,               -- of the page
  slug       TEXT    NOT NULL,               -- of the page
  uploader   BLOB    NOT NULL,               -- keyed hash of the site or of the account
  anonymous  INTEGER NOT NULL,
  bytes      INTEGER NOT NULL,               -- 0 until the image is ready
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX page_images_by_uploader ON page_images (uploader, created_at);
CREATE INDEX page_images_by_time ON page_images (created_at, anonymous, bytes);
