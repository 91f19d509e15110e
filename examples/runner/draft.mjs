// Looks up the measurements of a set by API key, drafts the design Aaron for them, and writes the pattern as SVG.
//
// Usage: BESPOKE_KEY=<key>:<secret> node draft.mjs URL SET FILE
// Before: npm ci here, and npm ci && npm run build in clients/typescript.
// Exits with 3 and drafts nothing if a required measurement is missing, and with 1 if the lookup is rejected.

import { writeFileSync } from "node:fs";
import { Aaron } from "@freesewing/aaron";
import { connect } from "../../clients/typescript/out/client.js";

const INCOMPLETE = 3;

const [url, id, file] = process.argv.slice(2);
const key = process.env.BESPOKE_KEY;
if (!url || !id || !file || !key) fail("usage: BESPOKE_KEY=<key>:<secret> node draft.mjs URL SET FILE");

const params = { path: { id, auth: "key" }, query: { design: "aaron" } };
const { data, error, response } = await connect(url, { key }).GET("/sets/{id}/measurements/{auth}", { params });
if (!data) fail(`the lookup is refused: ${response.status} ${error?.error ?? ""}`);
for (const { severity, message } of data.warnings) console.error(`${severity}: ${message}`);
if (!data.design.complete) fail(`${data.set.name} is incomplete, missing: ${data.design.missing.join(", ")}`, INCOMPLETE);

const pattern = new Aaron({ measurements: data.measurements });
pattern.draft();
writeFileSync(file, pattern.render());
console.log(`drafted for ${data.set.name}: ${file}`);

function fail(message, code = 1) {
  console.error(message);
  process.exit(code);
}
