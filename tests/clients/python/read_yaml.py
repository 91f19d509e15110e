"""Reads YAML from standard input with PyYAML and prints JSON.

A value that JSON does not have, such as a date, fails, so that it differs from every text.
"""

import json
import sys

import yaml

json.dump(yaml.safe_load(sys.stdin.buffer), sys.stdout, allow_nan=False)
