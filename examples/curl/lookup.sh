#!/bin/sh
# Looks up the measurements that a design needs. BESPOKE_KEY is <key>:<secret>.
# Usage: lookup.sh URL SET DESIGN
curl --silent --show-error --fail --user "$BESPOKE_KEY" "$1/sets/$2/measurements/key?design=$3"
