// A typed client of the API: the paths, bodies and answers are those of its description.

import createClient, { type Client } from "openapi-fetch";
import type { components, paths } from "./schema.js";

export type { components, paths };
/** The API, by method and path: `client.GET("/sets/{id}/{auth}", ...)`. */
export type Bespoke = Client<paths>;
/** What proves who calls: a token for paths that end in `/jwt`, an API key (`<key>:<secret>`) for those that end in `/key`. */
export type Credentials = { token: string } | { key: string };

/** The API at that address; without credentials only what is open to everybody answers. */
export function connect(baseUrl: string, credentials?: Credentials): Bespoke {
  return createClient<paths>({ baseUrl, headers: credentials ? { Authorization: authorization(credentials) } : {} });
}

function authorization(credentials: Credentials): string {
  return "token" in credentials ? `Bearer ${credentials.token}` : `Basic ${btoa(credentials.key)}`;
}
