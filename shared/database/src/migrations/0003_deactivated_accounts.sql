-- Distinguishes an account that an administrator made inactive from a new one, which is inactive too until its owner
-- activates it.
ALTER TABLE users ADD COLUMN deactivated INTEGER NOT NULL DEFAULT 0;
-- New accounts have no consent yet.
UPDATE users SET deactivated = 1 WHERE status = 0 AND consent > 0;
