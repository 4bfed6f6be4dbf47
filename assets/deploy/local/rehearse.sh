#!/usr/bin/env bash
# Rehearses a fleet on this machine: three instances of unslow behind nginx and HAProxy, with a
# PostgreSQL and a Redis of their own, all on loopback and free ports. Clients ask without pause
# while instances are restarted, killed and upgraded and Redis and PostgreSQL go away; at the end it
# prints what was lost and how often the database was asked. Here are the options, the order of
# things and the end; what there is is in rehearsal/machine.sh and rehearsal/fleet.sh, what happens
# to it in rehearsal/phases.sh.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# Started by a script in the background it would ignore Ctrl-C's signal, and so would what it starts.
[ -n "${REHEARSAL_HEARS:-}" ] || REHEARSAL_HEARS=1 exec env --default-signal bash "$here/rehearse.sh" "$@"
unset REHEARSAL_HEARS
# shellcheck source=rehearsal/machine.sh
. "$here/rehearsal/machine.sh"
# shellcheck source=rehearsal/fleet.sh
. "$here/rehearsal/fleet.sh"
# shellcheck source=rehearsal/phases.sh
. "$here/rehearsal/phases.sh"

ALL_PHASES=before,restart,kill,upgrade,redis,postgres,after

usage() {
  cat <<TEXT
usage: ./rehearse.sh [OPTIONS]

  --program FILE        the unslow to rehearse with; else ./unslow, else the one in PATH
  --upgrade-to FILE     the program to upgrade to; else a copy of the same
  --front WHICH         nginx, haproxy or both (default): what the clients ask through
  --seconds N           how long each phase lasts at least (default 10, at least 4)
  --clients N           clients of each front (default 16)
  --phases LIST         some of $ALL_PHASES
  --without DEFENCE     retries: the fronts pass no request on to another instance
                        redis: the instances do not know of each other
                        To see what each is good for: the rehearsal fails then.
  --keep                leave everything running at the end, and say where
TEXT
}

fail() {
  printf 'rehearse.sh: %s\n' "$*" >&2
  exit 1
}
wrong_usage() {
  printf 'rehearse.sh: %s\n\n' "$1" >&2
  usage >&2
  exit 2
}

program='' upgrade_to='' front=both seconds=10 clients=16 phases=$ALL_PHASES without='' keep=
while [ $# -gt 0 ]; do
  case $1 in
    --keep) keep=yes ;;
    -h | --help)
      usage
      exit
      ;;
    --program | --upgrade-to | --front | --seconds | --clients | --phases | --without)
      [ $# -gt 1 ] || wrong_usage "$1 needs a value"
      option=${1#--}
      printf -v "${option//-/_}" %s "$2"
      shift
      ;;
    *) wrong_usage "there is no option $1" ;;
  esac
  shift
done

case $front in
  nginx | haproxy) fronts=("$front") ;;
  both) fronts=(nginx haproxy) ;;
  *) wrong_usage "--front is nginx, haproxy or both, not $front" ;;
esac
case $without in '' | retries | redis) ;; *) wrong_usage "--without takes retries or redis, not $without" ;; esac
[[ $seconds =~ ^([4-9]|[1-9][0-9]{1,3})$ ]] || wrong_usage "--seconds is a whole number from 4 to 9999, not $seconds"
[[ $clients =~ ^[1-9][0-9]{0,2}$ ]] || wrong_usage "--clients is a number from 1 to 999, not $clients"
IFS=, read -r -a wanted <<<"$phases"
[ ${#wanted[@]} -gt 0 ] || wrong_usage "--phases names none; known: $ALL_PHASES"
for phase in "${wanted[@]}"; do
  [[ ,$ALL_PHASES, == *,$phase,* ]] || wrong_usage "there is no phase $phase; known: $ALL_PHASES"
done

find_programs
work=$(mktemp -d "${TMPDIR:-/tmp}/unslow-rehearsal.XXXXXX")
# Other users' processes go through it: nginx's workers and PostgreSQL, when root rehearses.
chmod 711 "$work"

# However it ends: what was started is ended, and what it leaves is told or removed.
at_end() {
  local code=$?
  trap - EXIT
  trap '' INT TERM
  if [ -n "$keep" ] && [ -n "${standing:-}" ]; then
    say_where
    exit "$code"
  fi
  end_fleet
  end_all
  if [ "$code" = 0 ]; then
    rm -rf "$work"
  else
    printf 'What it left, logs among it, is in %s\n' "$work" >&2
  fi
  exit "$code"
}
trap at_end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

start_servers
start_instances
start_fronts
standing=yes
run_phases "${wanted[@]}"
python3 "$here/rehearsal/report.py" "$work" "${#INSTANCES[@]}"
