// The part of the main job that both generated clients share: the link in the mail, and the header of a key.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Returns id and check of the confirmation link that was sent to that address. */
export function confirmation(outbox: string, email: string): { id: string; check: string } {
  const mails = readdirSync(outbox).map((file) => readFileSync(join(outbox, file), "utf8"));
  const mail = mails.find((text) => text.toLowerCase().includes(`to: ${email}`)) ?? "";
  const [, id = "", check = ""] = /\?id=(\S+)&check=(\S+)/.exec(mail) ?? [];
  return { id, check };
}
