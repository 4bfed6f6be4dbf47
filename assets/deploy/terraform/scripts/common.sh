# shellcheck shell=bash
# What serve.sh and set-up-database.sh share; they source it. It reads the facts that Terraform
# wrote, and fetches: every file by version and checked by its SHA-256, every secret into a file
# that only those who need it can read. Safe to repeat.
# DEPLOY_ROOT is a folder to stand for / and DEPLOY_PAUSE the seconds between tries, in a test.

set -euo pipefail

ROOT=${DEPLOY_ROOT:-}
PAUSE=${DEPLOY_PAUSE:-5}
ETC=$ROOT/etc/unslow
PROGRAM=$ROOT/usr/local/bin/unslow
CA=$ETC/rds-bundle.pem

# shellcheck source=/dev/null
. "$ETC/deploy.env"
export AWS_REGION=$REGION AWS_DEFAULT_REGION=$REGION AWS_PAGER=

say() { printf 'unslow: %s\n' "$*" >&2; }
fail() {
  say "$*"
  exit 1
}

# again COMMAND…: until it succeeds, at most 12 times.
again() {
  local try
  for try in 1 2 3 4 5 6 7 8 9 10 11 12; do
    "$@" && return 0
    [ "$try" = 12 ] || sleep "$PAUSE"
  done
  return 1
}

# fetch KEY VERSION SHA256 FILE: that version of an object, or no file at all.
fetch() {
  rm -f "$4"
  again aws s3api get-object --bucket "$BUCKET" --key "$1" --version-id "$2" "$4" >/dev/null ||
    fail "$1 cannot be fetched from bucket $BUCKET"
  if ! printf '%s  %s\n' "$3" "$4" | sha256sum --check --status; then
    rm -f "$4"
    fail "$1 is not the file that was deployed: its SHA-256 is not $3. Nothing is installed."
  fi
}

# secret ID: prints it.
secret() {
  again aws secretsmanager get-secret-value --secret-id "$1" --query SecretString --output text ||
    fail "the secret $1 cannot be read"
}

# The program; fetched only where another one is there.
install_program() {
  if printf '%s  %s\n' "$BINARY_SHA256" "$PROGRAM" | sha256sum --check --status 2>/dev/null; then
    return 0
  fi
  mkdir -p "${PROGRAM%/*}"
  fetch "$BINARY_KEY" "$BINARY_VERSION" "$BINARY_SHA256" "$PROGRAM.new"
  chmod 0755 "$PROGRAM.new"
  mv -f "$PROGRAM.new" "$PROGRAM"
  say "installed $("$PROGRAM" --version)"
}

# Whom to believe that it is the database: Amazon's certificates for RDS.
install_ca() {
  [ -s "$CA" ] && return 0
  again curl --fail --silent --show-error --proto '=https' --tlsv1.2 --output "$CA.new" "$CA_URL" ||
    fail "the certificates of RDS cannot be fetched from $CA_URL"
  grep -q 'BEGIN CERTIFICATE' "$CA.new" || fail "what $CA_URL sends holds no certificate"
  chmod 0644 "$CA.new"
  mv -f "$CA.new" "$CA"
}
