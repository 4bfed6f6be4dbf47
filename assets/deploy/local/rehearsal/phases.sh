# shellcheck shell=bash
# What happens to the fleet while the clients ask, phase by phase; phase_NAME is one. Sourced by
# rehearse.sh. How it is judged is in report.py.
# shellcheck disable=SC2034,SC2154 # what the files that rehearse.sh sources share

# Two checks of HAProxy and one of nginx's seconds: so long an instance that is back is not yet
# counted on by all fronts. A second one may go only after that.
SEEN_AGAIN=1.5

run_phases() {
  local name front fronts_at=() instances_at=() limit
  for front in "${fronts[@]}"; do fronts_at+=("$front=127.0.0.1:${port[$front]}"); done
  for name in "${INSTANCES[@]}"; do instances_at+=("$name=127.0.0.1:${port[$name]}"); done
  warm_up
  coproc LOAD { exec python3 "$here/rehearsal/load.py" "$clients" "$expected" "$work/load.json" "${fronts_at[@]}" -- "${instances_at[@]}" 2>"$work/load.log"; }
  pids[load]=$LOAD_PID
  for name in "$@"; do
    limit=$((SECONDS + seconds))
    tell "phase $name"
    printf '%s …\n' "$name" >&2
    "phase_$name"
    # What comes of it is part of it: for a ttl and a load.
    [ "$limit" -ge $((SECONDS + 4)) ] || limit=$((SECONDS + 4))
    while [ "$SECONDS" -lt "$limit" ]; do sleep 0.2; done
  done
  tell_end
}

# Each key once, so that no client has to wait for a first load.
warm_up() {
  local key loading=()
  for key in 1 2 3 4; do
    serves "${port[one]}" "/q/rehearsal.json?key=$key" &
    loading+=($!)
  done
  for key in "${loading[@]}"; do wait "$key" || fail "the query does not answer; see $work/one/error.log"; done
}

# Says it to the clients, and waits until they know.
tell() {
  if ! { printf '%s\n' "$1" >&"${LOAD[1]}" && read -r -t 60 <&"${LOAD[0]}"; } 2>/dev/null; then
    fail "the clients ended: $(tail -n 3 "$work/load.log")"
  fi
}

tell_end() {
  local pid=${pids[load]}
  printf 'end\n' >&"${LOAD[1]}"
  wait "$pid" || fail "the clients failed: $(tail -n 3 "$work/load.log")"
  unset 'pids[load]'
}

phase_before() { :; }
phase_after() { :; }

start_instance() {
  unslow "$1" start >>"$work/$1/commands.log"
  sleep "$SEEN_AGAIN"
}

# One after the other, stopped in order and started again.
phase_restart() {
  local name
  for name in "${INSTANCES[@]}"; do
    unslow "$name" stop >>"$work/$name/commands.log"
    start_instance "$name"
  done
}

# As by the kernel that has no memory left.
phase_kill() {
  local pid
  pid=$(pid_of two)
  kill -KILL "$pid"
  until_true 10 'the end of the killed instance' gone "$pid"
  # Long enough that the fronts meet its absence, and that its lease ends.
  sleep 3
  start_instance two
}

# One after the other: another file in the place of the program, and a process that takes over.
phase_upgrade() {
  local name before
  cp "${upgrade_to:-$program}" "$work/program.new"
  for name in "${INSTANCES[@]}"; do
    before=$(pid_of "$name")
    ln "$work/program.new" "$work/$name/unslow.new"
    mv "$work/$name/unslow.new" "$work/$name/unslow"
    unslow "$name" upgrade >>"$work/$name/commands.log"
    [ "$(pid_of "$name")" != "$before" ] || fail "instance $name is still the process from before its upgrade"
    until_true 60 'the end of the process before' gone "$before"
  done
}

# Whether an instance knows of no server that is away. One that has had no reason to ask does not say.
misses_nothing() {
  local answer
  answer=$(ask "$1" /readyz) && [[ $answer == *'"state":"serving"'* && $answer != *'"down"'* ]]
}

# Away for half of the time.
phase_redis() {
  local name
  end redis TERM
  sleep "$((seconds / 2)).$((seconds % 2 * 5))"
  start_redis
  for name in "${INSTANCES[@]}"; do
    until_true 60 "that instance $name uses Redis again" misses_nothing "${port[$name]}"
  done
}

# Away for longer than the ttl, so that stale copies are needed.
phase_postgres() {
  local name
  end postgres INT
  sleep 2.5
  start_postgres
  for name in "${INSTANCES[@]}"; do
    until_true 60 "that instance $name uses PostgreSQL again" misses_nothing "${port[$name]}"
  done
}
