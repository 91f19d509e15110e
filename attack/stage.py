"""Shared parts of the attacks: a server in test mode with its own folder, and accounts on it."""

import json
import pathlib
import sys
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "bench"))

from common import ROOT, TARGET, Server, require  # noqa: E402, F401

# In test mode, accounts can be created with any role. Passwords are cheap, and no rate limit and no limit of an account stops the attacks.
SETTINGS = {
    "BACKEND_ENABLE_TESTS": "yes",
    "BACKEND_PASSWORD_MEMORY_KIB": "8",
    "BACKEND_PASSWORD_ITERATIONS": "1",
    "BACKEND_RATE_LIMITS": "off",
    "BACKEND_ACCOUNT_MAX_SETS": "1000000",
    "BACKEND_ACCOUNT_MAX_TEXT_MIB": "4000",
    "BACKEND_CONNECTIONS_PER_ADDRESS": "1000000",
    "BACKEND_LOG": "error",
}
TEST_DOMAIN = "freesewing.dev"
CALL_LIMIT_S = 30


def call(server, method, path, body=None, authorization=None, timeout_s=CALL_LIMIT_S):
    """Status and JSON of a response."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": authorization} if authorization else {})
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(server.url + path, method=method, data=data, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as refusal:
        status, text = refusal.code, refusal.read()
    return status, json.loads(text) if text else None


def sign_up(server, name, role="user"):
    """Creates an account; returns the value of the Authorization header."""
    body = {"email": f"{name}@{TEST_DOMAIN}", "language": "en", "test": True, "role": role}
    _, answer = call(server, "POST", "/signup", body)
    _, answer = call(server, "POST", f"/confirm/signup/{answer['confirmation']}", {"consent": 2})
    return f"Bearer {answer['token']}"


def make_key(server, authorization, level):
    """Creates an API key of an account; returns its id and secret as one Bearer token."""
    body = {"name": "attack", "level": level, "expiresIn": 86_400}
    _, answer = call(server, "POST", "/apikeys/jwt", body, authorization)
    return f"Bearer {answer['apikey']['key']}.{answer['apikey']['secret']}"
