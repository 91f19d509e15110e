// The main job with the client of @hey-api/openapi-ts: from signing up to a lookup by key.
// Arguments: the URL of the server, the folder of its mails.

import assert from "node:assert/strict";
import { client } from "./hey/client.gen.js";
import { confirmSignUp, createApiKey, createSet, lookUpSet, readSet, signUp, updateSet } from "./hey/sdk.gen.js";
import { confirmation } from "./sign_up.js";

const [baseUrl = "", outbox = ""] = process.argv.slice(2);
const email = "hey@example.com";
client.setConfig({ baseUrl });

const signedUp = await signUp({ body: { email, language: "en" }, throwOnError: true });
assert.deepEqual(signedUp.data, { result: "created", email });
const { id, check } = confirmation(outbox, email);
const { data: account } = await confirmSignUp({ path: { id }, body: { consent: 2, check }, throwOnError: true });
client.setConfig({ auth: ({ scheme }) => (scheme === "bearer" ? account.token : undefined) });
const wanted = { name: "script", level: 2, expiresIn: 3600 };
const { data: made } = await createApiKey({ path: { auth: "jwt" }, body: wanted, throwOnError: true });
const measies = { chest: 925, neck: 340.5 };
const body = { name: "Jane", units: "metric", measies };
const { data: stored } = await createSet({ path: { auth: "jwt" }, body, throwOnError: true });
assert.deepEqual(stored.set.measies, measies);

const credentials = `${made.apikey.key}:${made.apikey.secret}`;
client.setConfig({ auth: ({ scheme }) => (scheme === "basic" ? credentials : undefined) });
const path = { id: stored.set.uuid, auth: "key" } as const;
const { data: read } = await readSet({ path, throwOnError: true });
assert.deepEqual(read.set, stored.set);
const { data: found } = await lookUpSet({ path, query: { design: "aaron", units: "in" }, throwOnError: true });
assert.equal(found.measurements.neck, 13.405511811);
assert.ok(found.design?.missing.includes("hips"));
const refused = await updateSet({ path, body: { measies: { chest: 930 } } });
assert.deepEqual(refused.error, { result: "error", error: "insufficientAccessLevel" });
console.log("done");
