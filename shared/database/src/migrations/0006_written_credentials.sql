-- A secret of a second factor and a request to change the e-mail address count as written bytes, too. Other confirmations do not, because
-- strangers can request them.
CREATE TRIGGER second_factors_write_account AFTER INSERT ON second_factors BEGIN
  INSERT INTO account_storage (user_id, written_bytes) VALUES (NEW.user_id, length(NEW.secret))
  ON CONFLICT DO UPDATE SET written_bytes = written_bytes + excluded.written_bytes;
END;
CREATE TRIGGER confirmations_write_account AFTER INSERT ON confirmations WHEN NEW.kind = 'emailchange' BEGIN
  INSERT INTO account_storage (user_id, written_bytes) VALUES (NEW.user_id, length(NEW.secret) + length(NEW.data))
  ON CONFLICT DO UPDATE SET written_bytes = written_bytes + excluded.written_bytes;
END;
