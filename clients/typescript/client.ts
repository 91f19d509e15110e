// A typed client of the API. The types of paths, bodies and responses come from the OpenAPI description.

import createClient, { type Client } from "openapi-fetch";
import type { components, paths } from "./schema.js";

export type { components, paths };
/** The API, by method and path: `client.GET("/sets/{id}/{auth}", ...)`. */
export type Bespoke = Client<paths>;
/** Credentials: a token for paths that end in `/jwt`, an API key (`<key>:<secret>`) for paths that end in `/key`. */
export type Credentials = { token: string } | { key: string };

/** Returns a client for the API at `baseUrl`. Without credentials, it can call public routes only. */
export function connect(baseUrl: string, credentials?: Credentials): Bespoke {
  return createClient<paths>({ baseUrl, headers: credentials ? { Authorization: authorization(credentials) } : {} });
}

function authorization(credentials: Credentials): string {
  return "token" in credentials ? `Bearer ${credentials.token}` : `Basic ${btoa(credentials.key)}`;
}
