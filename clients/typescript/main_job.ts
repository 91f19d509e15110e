// Runs the main job with the client, from signing up to a lookup by key.
// Arguments: the URL of the server, the folder of its mails.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type components, connect } from "./client.js";

const [baseUrl = "", outbox = ""] = process.argv.slice(2);
const email = "jane@example.com";
const password = "correct horse";

const anybody = connect(baseUrl);
const signedIn = (token: string) => connect(baseUrl, { token });
const withKey = (key: string, secret: string) => connect(baseUrl, { key: `${key}:${secret}` });

/** Returns the body of a response; throws on any error. */
function ok<Data, Failed>({ data, error, response }: { data?: Data; error?: Failed; response: Response }): Data {
  assert.ok(data !== undefined, `${response.url} ${response.status} ${JSON.stringify(error)}`);
  return data;
}

const signup = ok(await anybody.POST("/signup", { body: { email, language: "en" } }));
assert.deepEqual(signup, { result: "created", email });

// The link of the mail, as its reader follows it.
const [mail = "", ...others] = readdirSync(outbox).map((file) => readFileSync(join(outbox, file), "utf8"));
assert.equal(others.length, 0);
const [, id = "", check = ""] = /\?id=(\S+)&check=(\S+)/.exec(mail) ?? [];
const path = { id };
const confirmed = ok(await anybody.POST("/confirm/signup/{id}", { params: { path }, body: { consent: 2, check } }));
const changed = ok(
  await signedIn(confirmed.token).PATCH("/account/{auth}", { params: { path: { auth: "jwt" } }, body: { password } }),
);
assert.deepEqual(changed.ignored, []);

const refused = await anybody.POST("/signin", { body: { username: email, password: "wrong" } });
assert.equal(refused.response.status, 401);
const failure: components["schemas"]["Error"] | undefined = refused.error;
assert.deepEqual(failure, { result: "error", error: "signInFailed" });
const { token, account } = ok(await anybody.POST("/signin", { body: { username: email, password } }));
const free: unknown = account.data["theme"];
assert.equal(free, undefined);

const jane = signedIn(token);
const auth = { auth: "jwt" } as const;
const wanted = { name: "script", level: 2, expiresIn: 60 * 60 };
const { apikey } = ok(await jane.POST("/apikeys/{auth}", { params: { path: auth }, body: wanted }));
const measies = { chest: 925, neck: 340.5 };
const stored = ok(
  await jane.POST("/sets/{auth}", { params: { path: auth }, body: { name: "Jane", public: true, measies } }),
);
const names: string[] | undefined = stored.ignored;
assert.deepEqual(names, []);
const uuid: string = stored.set.uuid;

assert.ok(apikey.secret);
const byKey = withKey(apikey.key, apikey.secret);
const found = ok(await byKey.GET("/sets/{id}/{auth}", { params: { path: { id: uuid, auth: "key" } } }));
const chest: number | undefined = found.set.measies.chest;
assert.equal(chest, 925);
assert.deepEqual(found.set, stored.set);
const img: string | null = found.set.img;
assert.equal(typeof img, "string");

// What a design lacks, in another unit.
const params = { path: { id: uuid, auth: "key" as const }, query: { design: "aaron", units: "in" } };
const looked = ok(await byKey.GET("/sets/{id}/measurements/{auth}", { params }));
assert.equal(looked.measurements.neck, 13.405511811);
assert.equal(looked.design?.complete, false);
assert.ok(looked.design?.missing.includes("hips"));

// A key of level 2 reads and no more.
const write = await byKey.PATCH("/sets/{id}/{auth}", {
  params: { path: { id: uuid, auth: "key" } },
  body: { measies: { chest: 930, neck: null } },
});
assert.equal(write.error?.error, "insufficientAccessLevel");

const document = ok(await anybody.GET("/sets/{id}.json", { params: { path: { id: stored.set.id } } }));
assert.deepEqual(document.measurements, measies);
assert.equal(document.name, "Jane");

// A record that is not there is a 404 without a body.
const missing = await anybody.GET("/sets/{id}.json", { params: { path: { id: 999 } } });
assert.equal(missing.response.status, 404);

console.log("done");
