-- The columns that the public counters read, so that they need not read the rows of accounts with their long texts.
CREATE INDEX users_by_calls ON users (jwt_calls, key_calls, status, consent, username);
-- Subscriptions that were never confirmed, which are deleted after some days.
CREATE INDEX subscribers_unconfirmed ON subscribers (updated_at) WHERE active = 0;
