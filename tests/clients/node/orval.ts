// The main job with the client of orval: from signing up to a lookup by key.
// Arguments: the URL of the server, the folder of its mails.

import assert from "node:assert/strict";
import { confirmSignUp, createApiKey, createSet, lookUpSet, readSet, signUp, updateSet } from "./orval/client.js";
import { confirmation } from "./sign_up.js";

const [baseUrl = "", outbox = ""] = process.argv.slice(2);
const email = "orval@example.com";
process.env["API"] = baseUrl;

const signedUp = await signUp({ email, language: "en" });
assert.equal(signedUp.status, 201);
const { id, check } = confirmation(outbox, email);
const account = await confirmSignUp(id, { consent: 2, check });
assert.equal(account.status, 200);
const byToken = { headers: { Authorization: `Bearer ${account.data.token}` } };
const made = await createApiKey("jwt", { name: "script", level: 2, expiresIn: 3600 }, byToken);
assert.equal(made.status, 201);
const measies = { chest: 925, neck: 340.5 };
const stored = await createSet("jwt", { name: "Jane", units: "metric", measies }, byToken);
assert.equal(stored.status, 201);
assert.deepEqual(stored.data.set.measies, measies);

const { key, secret } = made.data.apikey;
const byKey = { headers: { Authorization: `Basic ${Buffer.from(`${key}:${secret}`).toString("base64")}` } };
const read = await readSet(stored.data.set.uuid, "key", byKey);
assert.equal(read.status, 200);
assert.deepEqual(read.data.set, stored.data.set);
const found = await lookUpSet(stored.data.set.uuid, "key", { design: "aaron", units: "in" }, byKey);
assert.equal(found.status, 200);
assert.equal(found.data.measurements.neck, 13.405511811);
const refused = await updateSet(stored.data.set.uuid, "key", { measies: { chest: 930 } }, byKey);
assert.equal(refused.status, 403);
assert.equal(refused.data.error, "insufficientAccessLevel");
console.log("done");
