-- The skeletons of a user name (UTS 39), so that no new name looks like that of another account. NULL until maintenance
-- fills them in, for existing rows and for those that older code writes.
ALTER TABLE users ADD COLUMN skeleton TEXT;                                -- of the name as it is shown
ALTER TABLE users ADD COLUMN folded_skeleton TEXT;                         -- of the name in lower case
CREATE INDEX users_by_skeleton ON users (skeleton) WHERE skeleton IS NOT NULL;
CREATE INDEX users_by_folded_skeleton ON users (folded_skeleton) WHERE folded_skeleton IS NOT NULL;
CREATE INDEX users_without_skeleton ON users (id) WHERE skeleton IS NULL;
CREATE TRIGGER users_lose_skeletons AFTER UPDATE OF username ON users
WHEN NEW.username <> OLD.username AND OLD.skeleton IS NOT NULL BEGIN
  UPDATE users SET skeleton = NULL, folded_skeleton = NULL WHERE id = NEW.id;
END;
