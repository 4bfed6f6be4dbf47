# shellcheck shell=bash
# What is rehearsed with: PostgreSQL and Redis, three instances of unslow as daemons, nginx and
# HAProxy before them, each with its files below the work folder. Sourced by rehearse.sh. What
# happens to them is in phases.sh.
# shellcheck disable=SC2034,SC2154 # what the files that rehearse.sh sources share

INSTANCES=(one two three)
declare -A port=()

start_servers() {
  local names=(postgres redis nginx haproxy "${INSTANCES[@]}") number
  free_ports ${#names[@]}
  for number in "${!names[@]}"; do port[${names[number]}]=${ports[number]}; done
  make_database
  start_redis
}

# A new password, into a file that only its owner reads.
new_password() {
  (umask 077 && od -An -N24 -tx1 /dev/urandom | tr -d ' \n' >"$1")
}

make_database() {
  mkdir "$work/postgres"
  new_password "$work/postgres/superuser"
  new_password "$work/database-password"
  (umask 077 && printf '127.0.0.1:*:*:postgres:%s\n' "$(cat "$work/postgres/superuser")" >"$work/pgpass")
  [ -z "$server_user" ] || chown -R "$server_user" "$work/postgres"
  "${as_server[@]}" "$postgres_bin/initdb" --pgdata "$work/postgres/data" --username postgres --encoding UTF8 \
    --locale C --auth scram-sha-256 --pwfile "$work/postgres/superuser" --no-sync >"$work/initdb.log" 2>&1 ||
    fail "initdb failed: $(tail -n 3 "$work/initdb.log")"
  start_postgres
  DATABASE_PASSWORD_FILE=$work/database-password in_database --file "$here/rehearsal/database.sql"
  expected=$(in_database --command 'select version()')
}

# The log has the moment of each line as seconds, for report.py. Nothing that is stored has to
# outlive this machine's next crash.
start_postgres() {
  begin postgres "$work/postgres.log" "${as_server[@]}" "$postgres_bin/postgres" -D "$work/postgres/data" \
    -p "${port[postgres]}" -c listen_addresses=127.0.0.1 -c unix_socket_directories= \
    -c log_line_prefix='%n ' -c log_error_verbosity=terse -c logging_collector=off \
    -c fsync=off -c shared_buffers=16MB
  until_it postgres "$work/postgres.log" in_database --command 'select 1'
}

in_database() {
  PGPASSFILE=$work/pgpass psql --no-psqlrc --quiet --no-align --tuples-only --set ON_ERROR_STOP=1 \
    --host 127.0.0.1 --port "${port[postgres]}" --username postgres --dbname postgres "$@"
}

# Without a file: it comes back empty, as the harder case.
start_redis() {
  begin redis "$work/redis.log" "$redis_server" --port "${port[redis]}" --bind 127.0.0.1 --save '' \
    --appendonly no --dir "$work"
  until_it redis "$work/redis.log" redis_answers
}

redis_answers() {
  local socket answer
  exec {socket}<>"/dev/tcp/127.0.0.1/${port[redis]}" || return 1
  printf 'PING\r\n' >&"$socket"
  read -r -t 2 answer <&"$socket" || true
  exec {socket}>&-
  [[ $answer == +PONG* ]]
}

# filled TEMPLATE: a file of ours, with what stands between @ replaced.
filled() {
  sed -e "s/@POSTGRES_PORT@/${port[postgres]}/" -e "s/@REDIS_PORT@/${port[redis]}/" \
    -e "s/@NGINX_PORT@/${port[nginx]}/" -e "s/@HAPROXY_PORT@/${port[haproxy]}/" \
    -e "s/@PORT_ONE@/${port[one]}/" -e "s/@PORT_TWO@/${port[two]}/" -e "s/@PORT_THREE@/${port[three]}/" "$1"
}

# Each has a program of its own, as on three machines: an upgrade replaces one after the other.
start_instances() {
  local name
  cp -r "$here/rehearsal/queries" "$work/queries"
  cp "$program" "$work/program"
  for name in "${INSTANCES[@]}"; do
    mkdir "$work/$name"
    ln "$work/program" "$work/$name/unslow"
    filled "$here/rehearsal/instance.ini" |
      sed -e "s/@PORT@/${port[$name]}/" -e "s/@NAMESPACE@/$(namespace "$name")/" >"$work/$name/app.ini"
  done
  # The user of the settings may not create anything.
  unslow one install --db-user postgres --db-password-file "$work/postgres/superuser" >"$work/install.log" 2>&1 ||
    fail "unslow install: $(cat "$work/install.log")"
  unslow one check --online >"$work/check.log" 2>&1 ||
    fail "unslow check --online found: $(cat "$work/check.log")"
  for name in "${INSTANCES[@]}"; do unslow "$name" start >>"$work/$name/commands.log"; done
}

# Instances of different namespaces on one Redis do not know of each other.
namespace() {
  if [ "$without" = redis ]; then printf 'rehearsal-%s' "$1"; else printf rehearsal; fi
}

# unslow INSTANCE COMMAND…: a command to that instance, without settings from this shell.
unslow() {
  local name=$1
  shift
  (
    cd "$work/$name" || exit
    unset PORT DATABASE_URL REDIS_URL DEBUG "${!UNSLOW_@}"
    exec "$work/$name/unslow" "$@" --config "$work/$name/app.ini"
  )
}

pid_of() { cat "$work/$1/unslow.pid"; }

start_fronts() {
  local name
  for name in "${fronts[@]}"; do
    "start_$name"
    until_it "$name" "$work/$name.log" serves "${port[$name]}" /
  done
}

# A front's configuration; on request without what has it ask another instance.
front_file() {
  if [ "$without" = retries ]; then
    filled "$1" | sed -E -e 's/proxy_next_upstream .*/proxy_next_upstream off;/' -e '/proxy_next_upstream_t/d' \
      -e 's/^( *retries) .*/\1 0/' -e '/option redispatch|retry-on|disable-l7-retry/d'
  else
    filled "$1"
  fi
}

start_nginx() {
  mkdir "$work/nginx"
  front_file "$here/rehearsal/nginx.conf" >"$work/nginx/nginx.conf"
  begin nginx "$work/nginx.log" nginx -p "$work/nginx/" -c nginx.conf -e "$work/nginx.log"
}

start_haproxy() {
  front_file "$here/rehearsal/haproxy.cfg" >"$work/haproxy.cfg"
  begin haproxy "$work/haproxy.log" haproxy -db -f "$work/haproxy.cfg"
}

# serves PORT PATH: whether the answer is a 200.
serves() {
  local answer
  answer=$(ask "$1" "$2") || return 1
  [[ $answer == HTTP/1.?\ 200* ]]
}

# Those that are left running are ended without waiting for clients, of which there are none.
end_fleet() {
  local name
  for name in "${INSTANCES[@]}"; do
    [ ! -e "$work/$name/unslow.pid" ] || unslow "$name" stop --now >/dev/null 2>&1 ||
      printf 'rehearse.sh: instance %s does not end\n' "$name" >&2
  done
}

say_where() {
  local name others=()
  printf '\nEverything is left running:\n'
  for name in "${fronts[@]}"; do printf '  %-9s http://127.0.0.1:%s/\n' "$name" "${port[$name]}"; done
  for name in "${INSTANCES[@]}"; do printf '  %-9s http://127.0.0.1:%s/stats\n' "$name" "${port[$name]}"; done
  printf 'Settings and logs are in %s. To end it all:\n\n' "$work"
  for name in "${INSTANCES[@]}"; do printf '  %s stop --config %s\n' "$work/$name/unslow" "$work/$name/app.ini"; done
  for name in redis "${fronts[@]}"; do others+=("${pids[$name]}"); done
  printf '  kill %s; kill -INT %s\n  rm -r %s\n' "${others[*]}" "${pids[postgres]}" "$work"
}
