"""The event with which each function is measured: a gateway event of a request that reads the database."""

import json
import base64

# The request to each function; `{set}` is a set of the account whose key is used.
CALLS = {
    "account": ("GET", "/account/key"),
    "all": ("GET", "/sets/{set}/key"),
    "admin": ("GET", "/admin/outbox/key"),
    "apikeys": ("GET", "/whoami/key"),
    "bookmarks": ("GET", "/bookmarks/key"),
    "confirmations": ("GET", "/confirmations/signup/00000000-0000-4000-8000-000000000001/check"),
    "console": ("GET", "/console/"),
    "curated-sets": ("GET", "/curated-sets"),
    "docs": ("GET", "/"),
    "flows": ("POST", "/issues"),
    "images": ("GET", "/images/set-00000000-0000-4000-8000-000000000001"),
    "info": ("GET", "/readyz"),
    "measurements": ("GET", "/measurements"),
    "option-packs": ("GET", "/option-packs"),
    "patterns": ("GET", "/patterns/key"),
    "sets": ("GET", "/sets/{set}/key"),
    "smallest": ("GET", "/"),
    "subscribers": ("GET", "/subscribers/00000000-0000-4000-8000-000000000001"),
}
HOST = "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com"


def event_for(function, row):
    """The event for that function; `row` is a line of `bespoke bench-seed`."""
    if function == "maintenance":
        return {"tasks": ["mail"]}
    method, path = CALLS.get(function, CALLS["smallest"])
    path = path.format(set=row["set"])
    headers = {"accept": "*/*", "host": HOST, "x-forwarded-for": "203.0.113.7"}
    if path.endswith("/key"):
        pair = f"{row['key']}:{row['secret']}".encode()
        headers["authorization"] = "Basic " + base64.b64encode(pair).decode()
    http = {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7", "userAgent": "bench"}
    event = {
        "version": "2.0",
        "routeKey": "ANY " + path,
        "rawPath": path,
        "rawQueryString": "",
        "headers": headers,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": HOST.partition(".")[0],
            "domainName": HOST,
            "domainPrefix": HOST.partition(".")[0],
            "http": http,
            "requestId": "JKJaXmPLvHc0021A=",
            "routeKey": "ANY " + path,
            "stage": "$default",
            "time": "01/Jan/2026:00:00:21 +0000",
            "timeEpoch": 1767225621000,
        },
        "isBase64Encoded": False,
    }
    if method == "POST":
        headers["content-type"] = "application/json"
        event["body"] = json.dumps({"title": "A bench", "body": "Measured."})
    return event
