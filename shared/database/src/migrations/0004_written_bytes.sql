-- The bytes that each account writes on a day: the texts of every row that is inserted or changed, as they are stored. SQLite writes a
-- changed row completely, so a change of one field counts as the row. The day begins with the first write by the account itself; bytes
-- that others write for it (an import by the operator, for example) are added to the day of the row.
ALTER TABLE account_storage ADD COLUMN written_bytes INTEGER NOT NULL DEFAULT 0; -- on written_day
ALTER TABLE account_storage ADD COLUMN written_day INTEGER NOT NULL DEFAULT 0;   -- UTC, days since the Unix epoch

-- An account's own texts do not count as storage, because each of them has a limit.
CREATE TRIGGER users_write_account AFTER UPDATE OF bio, data ON users BEGIN
  INSERT INTO account_storage (user_id, written_bytes) VALUES (NEW.id, length(NEW.bio) + length(NEW.data))
  ON CONFLICT DO UPDATE SET written_bytes = written_bytes + excluded.written_bytes;
END;

-- As in 0002_limits.sql, with the written bytes. Deleted rows are not written.
DROP TRIGGER sets_fill_account;
CREATE TRIGGER sets_fill_account AFTER INSERT ON sets BEGIN
  INSERT INTO account_storage (user_id, sets, text_bytes, written_bytes)
  SELECT NEW.user_id, 1, bytes, bytes
  FROM (SELECT length(NEW.name) + length(NEW.notes) + length(NEW.measies) AS bytes) WHERE true
  ON CONFLICT DO UPDATE SET sets = sets + 1, text_bytes = text_bytes + excluded.text_bytes,
    written_bytes = written_bytes + excluded.written_bytes;
END;
DROP TRIGGER sets_change_account;
CREATE TRIGGER sets_change_account AFTER UPDATE OF name, notes, measies, img ON sets BEGIN
  UPDATE account_storage SET
    text_bytes = text_bytes + (length(NEW.name) + length(NEW.notes) + length(NEW.measies))
      - (length(OLD.name) + length(OLD.notes) + length(OLD.measies)),
    written_bytes = written_bytes + (length(NEW.name) + length(NEW.notes) + length(NEW.measies))
  WHERE user_id = NEW.user_id;
END;
DROP TRIGGER patterns_fill_account;
CREATE TRIGGER patterns_fill_account AFTER INSERT ON patterns BEGIN
  INSERT INTO account_storage (user_id, patterns, text_bytes, written_bytes)
  SELECT NEW.user_id, 1, bytes, bytes + length(NEW.design)
  FROM (SELECT length(NEW.name) + length(NEW.notes) + length(NEW.data) + length(NEW.settings) AS bytes) WHERE true
  ON CONFLICT DO UPDATE SET patterns = patterns + 1, text_bytes = text_bytes + excluded.text_bytes,
    written_bytes = written_bytes + excluded.written_bytes;
END;
DROP TRIGGER patterns_change_account;
CREATE TRIGGER patterns_change_account AFTER UPDATE OF name, notes, data, settings, design, img ON patterns BEGIN
  UPDATE account_storage SET
    text_bytes = text_bytes + (length(NEW.name) + length(NEW.notes) + length(NEW.data) + length(NEW.settings))
      - (length(OLD.name) + length(OLD.notes) + length(OLD.data) + length(OLD.settings)),
    written_bytes = written_bytes + (length(NEW.name) + length(NEW.notes) + length(NEW.data) + length(NEW.settings))
      + length(NEW.design)
  WHERE user_id = NEW.user_id;
END;
DROP TRIGGER bookmarks_fill_account;
CREATE TRIGGER bookmarks_fill_account AFTER INSERT ON bookmarks BEGIN
  INSERT INTO account_storage (user_id, bookmarks, text_bytes, written_bytes)
  SELECT NEW.user_id, 1, bytes, bytes
  FROM (SELECT length(NEW.title) + length(NEW.url) AS bytes) WHERE true
  ON CONFLICT DO UPDATE SET bookmarks = bookmarks + 1, text_bytes = text_bytes + excluded.text_bytes,
    written_bytes = written_bytes + excluded.written_bytes;
END;
DROP TRIGGER bookmarks_change_account;
CREATE TRIGGER bookmarks_change_account AFTER UPDATE OF title, url ON bookmarks BEGIN
  UPDATE account_storage SET
    text_bytes = text_bytes + (length(NEW.title) + length(NEW.url))
      - (length(OLD.title) + length(OLD.url)),
    written_bytes = written_bytes + (length(NEW.title) + length(NEW.url))
  WHERE user_id = NEW.user_id;
END;
DROP TRIGGER api_keys_fill_account;
CREATE TRIGGER api_keys_fill_account AFTER INSERT ON api_keys BEGIN
  INSERT INTO account_storage (user_id, api_keys, text_bytes, written_bytes)
  SELECT NEW.user_id, 1, bytes, bytes
  FROM (SELECT length(NEW.name) AS bytes) WHERE true
  ON CONFLICT DO UPDATE SET api_keys = api_keys + 1, text_bytes = text_bytes + excluded.text_bytes,
    written_bytes = written_bytes + excluded.written_bytes;
END;
DROP TRIGGER api_keys_change_account;
CREATE TRIGGER api_keys_change_account AFTER UPDATE OF name, secret ON api_keys BEGIN
  UPDATE account_storage SET
    text_bytes = text_bytes + (length(NEW.name))
      - (length(OLD.name)),
    written_bytes = written_bytes + (length(NEW.name))
  WHERE user_id = NEW.user_id;
END;
DROP TRIGGER suggestions_fill_account;
CREATE TRIGGER suggestions_fill_account AFTER INSERT ON suggestions BEGIN
  INSERT INTO account_storage (user_id, text_bytes, written_bytes)
  SELECT NEW.user_id, bytes, bytes
  FROM (SELECT length(NEW.data) AS bytes) WHERE true
  ON CONFLICT DO UPDATE SET text_bytes = text_bytes + excluded.text_bytes,
    written_bytes = written_bytes + excluded.written_bytes;
END;
DROP TRIGGER suggestions_change_account;
CREATE TRIGGER suggestions_change_account AFTER UPDATE OF data ON suggestions BEGIN
  UPDATE account_storage SET
    text_bytes = text_bytes + (length(NEW.data))
      - (length(OLD.data)),
    written_bytes = written_bytes + (length(NEW.data))
  WHERE user_id = NEW.user_id;
END;
