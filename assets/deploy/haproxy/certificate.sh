#!/bin/sh
# Gives HAProxy the certificate that certbot has fetched: chain and key in one file, which HAProxy
# wants. certbot runs it after each renewal (--deploy-hook) with RENEWED_LINEAGE in its environment.
# A reload that HAProxy refuses leaves the old certificate in use.
set -eu

: "${RENEWED_LINEAGE:?is set by certbot: the folder with fullchain.pem and privkey.pem}"
target=${1:-/etc/haproxy/unslow.pem}

# The key is in it: for root alone, from the first byte on. Renamed, so that no half of it is read.
umask 077
cat "$RENEWED_LINEAGE/fullchain.pem" "$RENEWED_LINEAGE/privkey.pem" >"$target.new"
mv "$target.new" "$target"
systemctl reload haproxy
