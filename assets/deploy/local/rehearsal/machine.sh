# shellcheck shell=bash
# What the rehearsal needs of this machine: programs, ports that are free, and processes that are
# known by their ids and ended by them. Sourced by rehearse.sh. What the processes are is said in
# fleet.sh.
# shellcheck disable=SC2034,SC2154 # what the files that rehearse.sh sources share

# Debian keeps servers where the PATH of users does not go.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

have() { command -v "$1" >/dev/null 2>&1; }

# The folder of PostgreSQL's programs, the newest where there are several.
postgres_programs() {
  local folder
  for folder in $(printf '%s\n' /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/local/pgsql/bin | sort -rV); do
    [ -x "$folder/initdb" ] && [ -x "$folder/postgres" ] && printf '%s' "$folder" && return
  done
  have initdb && have postgres && dirname "$(realpath "$(command -v postgres)")"
}

# Sets program, postgres_bin and redis_server; says what is missing, all of it at once.
find_programs() {
  local missing=() name
  if [ -z "$program" ]; then
    if [ -x "$here/unslow" ]; then program=$here/unslow; else program=$(type -P unslow || true); fi
  fi
  [ -n "$program" ] || fail "there is no unslow here: copy it to $here/unslow, or name it with --program FILE"
  for name in "$program" ${upgrade_to:+"$upgrade_to"}; do
    [ -x "$name" ] || fail "$name is not a program"
    "$name" --version >/dev/null || fail "$name does not run here"
  done
  postgres_bin=$(postgres_programs) || missing+=(postgresql)
  have psql || missing+=(postgresql-client)
  redis_server=$(command -v valkey-server || command -v redis-server) || missing+=(redis-server)
  for name in "${fronts[@]}"; do have "$name" || missing+=("$name"); done
  have python3 || missing+=(python3)
  [ ${#missing[@]} = 0 ] ||
    fail "some programs are not installed. On Debian and Ubuntu: sudo apt-get install --no-install-recommends ${missing[*]}"
}

# Before the commands of servers: PostgreSQL refuses root, so where root rehearses it is another user.
as_server=() server_user=
if [ "$(id -u)" = 0 ]; then
  server_user=nobody
  if id postgres >/dev/null 2>&1; then server_user=postgres; fi
  as_server=(setpriv "--reuid=$server_user" "--regid=$(id -g "$server_user")" --clear-groups)
fi

# Ports that nobody listens on, into the array `ports`. They are below those that the system gives
# to connections, one of which could else take the port of an instance that is being restarted.
free_ports() {
  mapfile -t ports < <(python3 - "$1" <<'PYTHON'
import random, socket, sys

try:
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        first = int(file.read().split()[0])
except OSError:
    first = 32768
candidates = list(range(10000, first)) if first > 11000 else list(range(20000, 32000))
random.shuffle(candidates)
wanted = int(sys.argv[1])
for port in candidates:
    with socket.socket() as listener:
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            continue
    print(port)
    wanted -= 1
    if not wanted:
        break
PYTHON
  )
  [ "${#ports[@]}" = "$1" ] || fail "there are no $1 free ports on 127.0.0.1"
}

# The ids of what was started, by name.
declare -A pids=()

# begin NAME LOG COMMAND…: in the background. A program, not a function: the id is the program's own.
begin() {
  local name=$1 log=$2
  shift 2
  "$@" >>"$log" 2>&1 </dev/null &
  pids[$name]=$!
}

alive() { kill -0 "$1" 2>/dev/null; }

# until_true SECONDS WHAT COMMAND…: looks again and again; after that time it is a failure.
until_true() {
  local limit=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$limit" ] || fail "$what did not come about"
    sleep 0.05
  done
}

# until_true for what NAME, begun with this log, comes to do; its end is a failure at once.
until_it() {
  local name=$1 log=$2 limit=$((SECONDS + 60))
  shift 2
  until "$@" >/dev/null 2>&1; do
    alive "${pids[$name]}" || fail "$name has ended: $(tail -n 3 "$log")"
    [ "$SECONDS" -lt "$limit" ] || fail "$name does not answer; it said: $(tail -n 3 "$log")"
    sleep 0.05
  done
}

gone() { ! alive "$1"; }

# end NAME SIGNAL: ends one that was begun, and waits for it.
end() {
  local pid=${pids[$1]:-}
  [ -n "$pid" ] || return 0
  unset "pids[$1]"
  kill "-$2" "$pid" 2>/dev/null || return 0
  wait "$pid" 2>/dev/null || true
}

# Ends whatever still runs. A server that does not end by itself is not waited for without end.
end_all() {
  local name pid
  for name in "${!pids[@]}"; do
    pid=${pids[$name]}
    # To PostgreSQL INT is what ends it without waiting for its clients.
    if [ "$name" = postgres ]; then kill -INT "$pid"; else kill -TERM "$pid"; fi 2>/dev/null || true
  done
  for name in "${!pids[@]}"; do
    pid=${pids[$name]}
    (until_true 10 "the end of $name" gone "$pid") || kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  pids=()
}

# ask PORT PATH: the answer to a GET on loopback, with nothing but bash.
ask() {
  local socket
  exec {socket}<>"/dev/tcp/127.0.0.1/$1" || return 1
  printf 'GET %s HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n' "$2" >&"$socket"
  cat <&"$socket"
  exec {socket}>&-
}
