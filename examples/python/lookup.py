"""Looks up the measurements that a design needs, with Python's standard library alone.

Usage: BESPOKE_KEY=<key>:<secret> python3 lookup.py URL SET DESIGN
Prints one measurement a line. Exits with 3 if a required measurement is missing, and with 1 if the lookup is rejected."""

import base64
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request

TIMEOUT_S = 30


def look_up(url, name, design, key):
    path = f"{url}/sets/{urllib.parse.quote(name, safe='')}/measurements/key?{urllib.parse.urlencode({'design': design})}"
    credentials = base64.b64encode(key.encode()).decode()
    request = urllib.request.Request(path, headers={"Authorization": f"Basic {credentials}"})
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
        return json.load(response)


def main():
    url, name, design = sys.argv[1:]
    try:
        answer = look_up(url, name, design, os.environ["BESPOKE_KEY"])
    except urllib.error.HTTPError as error:
        sys.exit(f"refused: {error.code} {error.read().decode()}")
    for measurement, value in answer["measurements"].items():
        print(measurement, value)
    for warning in answer["warnings"]:
        print(f"{warning['severity']}: {warning['message']}", file=sys.stderr)
    if not answer["design"]["complete"]:
        print("missing:", *answer["design"]["missing"], file=sys.stderr)
        sys.exit(3)


if __name__ == "__main__":
    main()
