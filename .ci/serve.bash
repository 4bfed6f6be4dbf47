# Sourced: starts the program on a free loopback port, asks it over HTTP and ends it, with nothing
# but bash, so that it also works where curl is not installed. It sets PID, PORT, STATUS and REPLY.

WORK=$(mktemp -d)
PID=
end_all() {
  if [ -n "$PID" ]; then
    kill -KILL "$PID"
    wait "$PID"
  fi 2>/dev/null
  rm -rf "$WORK"
}
trap end_all EXIT

fail() {
  printf 'FAILED: %s\n' "$*" >&2
  if [ -s "$WORK/output" ]; then
    printf -- '--- what the program printed:\n' >&2
    cat "$WORK/output" >&2
  fi
  exit 1
}

listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

free_port() {
  local try
  for try in {1..50}; do
    PORT=$((20000 + RANDOM % 12000))
    listening "$PORT" || return 0
  done
  fail "no free port after $try tries"
}

# start COMMAND…: in the background, in an empty folder, without settings from this shell.
start() {
  (
    cd "$WORK" || exit 1
    unset PORT DATABASE_URL REDIS_URL DEBUG "${!UNSLOW_@}"
    exec "$@"
  ) >"$WORK/output" 2>&1 </dev/null &
  PID=$!
}

now_ms() { local t=$EPOCHREALTIME; echo $((${t/[.,]/} / 1000)); }

# get PATH [HEADER]: sets STATUS and REPLY (head and body); fails when nobody answers.
get() {
  STATUS=
  REPLY=
  exec 3<>"/dev/tcp/127.0.0.1/$PORT" || return 1
  printf 'GET %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nConnection: close\r\n%s\r\n' \
    "$1" "$PORT" "${2:+$2$'\r\n'}" | cat >&3 # as one write, where bash would make one of each line
  REPLY=$(timeout 60 cat <&3 | tr -d '\0')
  exec 3>&-
  STATUS=${REPLY#HTTP/1.1 }
  STATUS=${STATUS%%[!0-9]*}
  [ -n "$STATUS" ]
}

# wait_ready SECONDS: until it listens; fails when it ends before that.
wait_ready() {
  local until=$(($(now_ms) + $1 * 1000))
  until listening "$PORT"; do
    kill -0 "$PID" 2>/dev/null || fail 'it ended instead of serving'
    [ "$(now_ms)" -lt "$until" ] || fail "it does not listen on port $PORT after $1 s"
  done
}

# stop: TERM; the program must then end by itself with exit code 0.
stop() {
  local code=0 until=$(($(now_ms) + 60000))
  kill -TERM "$PID" || fail 'it was gone before it was asked to end'
  while kill -0 "$PID" 2>/dev/null; do
    [ "$(now_ms)" -lt "$until" ] || fail 'asked to end, it still runs after 60 s'
    sleep 0.02
  done
  wait "$PID" || code=$?
  PID=
  [ "$code" = 0 ] || fail "asked to end, it ended with $code instead of 0"
}
