-- The bytes of the exports that each account makes on a day. They are not part of the written bytes, so that a key that may only read cannot
-- use up the bytes that its owner may write.
ALTER TABLE account_storage ADD COLUMN exported_bytes INTEGER NOT NULL DEFAULT 0; -- on exported_day
ALTER TABLE account_storage ADD COLUMN exported_day INTEGER NOT NULL DEFAULT 0;   -- UTC, days since the Unix epoch
