"""The cases of `bench/run`: their requests, and the baselines that they are compared with."""

import base64
import json
import random
import urllib.error
import urllib.request

# The baselines, served by cli/examples/ceiling.rs.
BARE, READ, COMMIT = "bare axum route", "plain SQLite read", "plain SQLite commit"
CREATE, SIGN_IN = "POST /sets/key", "POST /signin"
BY_KEY = "GET /sets/:id/key"
LIST_SETS = 100
# Lookups whose response the client has cached. Concurrent writes change few of their sets.
TAGGED = 1_000
# Created sets are large, so a few different bodies are enough.
CREATED = 100
PLAIN_ROWS = 10_000


def line(method, path, body="", **headers):
    """A request as bench/case.lua reads it."""
    pairs = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\t".join([method, path, body, *pairs])


def call(url, method, path, body=None, **headers):
    """The status, the body and the headers of one request."""
    request = urllib.request.Request(url + path, method=method)
    for name, value in headers.items():
        request.add_header(name.replace("_", "-"), value)
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, response.read(), response.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read(), error.headers


def prepare(row):
    """The parameters of requests for a seeded set."""
    pair = f"{row['key']}:{row['secret']}".encode()
    row["by_key"] = {"Authorization": "Basic " + base64.b64encode(pair).decode()}
    row["by_token"] = {"Authorization": f"Bearer {row['token']}"}
    row["path"] = f"/sets/{row['set']}"


def measies(url, row):
    """The measurements of a seeded set as a request body."""
    status, body, _ = call(url, "GET", row["path"] + "/key", **row["by_key"])
    assert status == 200, body
    content = json.loads(body)["set"]["measies"]
    # Seeded values are not realistic: an import rejects a shoulder slope that is this steep.
    content["shoulderSlope"] = 13
    return content


def fill_list(url, row):
    """Gives one account as many sets as the list has."""
    content = measies(url, row)
    sets = [{"name": f"Number {number}", "measies": content} for number in range(LIST_SETS)]
    status, body, _ = call(url, "POST", "/sets/import/key", {"sets": sets}, **row["by_key"])
    assert status in (200, 201) and json.loads(body)["added"] == LIST_SETS, body


def tagged(url, row):
    """A conditional request for a cached response; the status is 304."""
    path = row["path"] + "/measurements/key?design=aaron"
    tag = call(url, "GET", path, **row["by_key"])[2]["ETag"]
    return line("GET", path, If_None_Match=tag, **row["by_key"])


def of_api(url, rows):
    """Each case of the API: its requests, and the baseline that it is compared with."""
    fill_list(url, rows[0])
    one, known = rows[len(rows) // 2], random.sample(rows, min(TAGGED, len(rows)))
    new = json.dumps({"name": "Made while measuring", "measies": measies(url, one)}, separators=(",", ":"))
    sign_in = {row["username"]: json.dumps({"username": row["username"], "password": row["password"]}) for row in rows}
    typed = {"Content_Type": "application/json"}
    get = lambda path, scheme: [line("GET", row["path"] + path, **row[scheme]) for row in rows]
    return {
        "GET /healthz": ([line("GET", "/healthz")], BARE),
        "GET /sets/:id.json": ([line("GET", row["path"] + ".json") for row in rows], BARE),
        "GET /sets/:id/jwt": (get("/jwt", "by_token"), BARE),
        BY_KEY: (get("/key", "by_key"), BARE),
        "... always the same": ([line("GET", one["path"] + "/key", **one["by_key"])], BARE),
        "GET /whoami/key": ([line("GET", "/whoami/key", **row["by_key"]) for row in rows], BARE),
        "GET /sets/:id/measurements/key?design=aaron": (get("/measurements/key?design=aaron", "by_key"), BARE),
        "... 304": ([tagged(url, row) for row in known], BARE),
        f"GET /sets/key?limit={LIST_SETS}": ([line("GET", f"/sets/key?limit={LIST_SETS}", **rows[0]["by_key"])], BARE),
        "GET /curated-sets": ([line("GET", "/curated-sets", Accept_Encoding="gzip")], BARE),
        CREATE: ([line("POST", "/sets/key", new, **typed, **row["by_key"]) for row in rows[:CREATED]], COMMIT),
        SIGN_IN: ([line("POST", "/signin", body, **typed) for body in sign_in.values()], None),
    }


def of_ceilings(new_bytes):
    """The requests of each baseline; a commit has as many bytes as a created set."""
    return {
        BARE: [line("GET", "/bare")],
        READ: [line("GET", f"/read/{id}") for id in range(1, PLAIN_ROWS + 1)],
        COMMIT: [line("POST", "/commit", "x" * new_bytes, Content_Type="text/plain")],
    }
