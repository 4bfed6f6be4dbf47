# shellcheck shell=bash
# The checks of `unslow deploy local`, for check-deploy: the rehearsal itself, in short; that it
# fails when a defence is away, and that nothing of it is left when it is interrupted; the form and
# the rights of compose.yaml; and that what other kinds have too is the same there.
# shellcheck disable=SC2154 # work, tools, program and the words for results are check-deploy's

# rehearse FOLDER OPTIONS…: with its work folder below ours.
rehearse() {
  local folder=$1
  shift
  TMPDIR=$work/rehearsals "$folder/rehearse.sh" --program "$program" --seconds 4 --clients 8 "$@"
}

# fails_saying WORDS COMMAND…: ends with 1 and these words among what it says.
fails_saying() {
  local words=$1 code=0
  shift
  "$@" >"$work/failing" 2>&1 || code=$?
  cat "$work/failing"
  [ "$code" = 1 ] && grep -q -- "$words" "$work/failing"
}

# Ctrl-C in the middle: it ends by that, and nothing that it started goes on or is left but its logs.
interrupted() {
  local folder=$1 place=$work/rehearsals/interrupted said=$work/interrupted pid code=0 try
  mkdir -p "$place"
  TMPDIR=$place "$folder/rehearse.sh" --program "$program" --phases before --clients 2 >"$said" 2>&1 &
  pid=$!
  for try in {1..600}; do
    grep -q '^before' "$said" && break
    sleep 0.1
  done
  kill -INT "$pid"
  wait "$pid" || code=$?
  cat "$said"
  if [ "$try" = 600 ] || [ "$code" != 130 ]; then
    echo "it ended with $code instead of 130"
    return 1
  fi
  # Every process of its own has a log open below its folder, or runs there.
  if find /proc/[0-9]*/cwd /proc/[0-9]*/fd -lname "$place/*" 2>/dev/null | grep .; then
    echo 'these processes are left'
    return 1
  fi
}

local_venv() {
  [ -x "$tools/local/bin/check-jsonschema" ] && return 0
  python3 -m venv "$tools/local" && "$tools/local/bin/pip" install --quiet 'check-jsonschema>=0.39,<1' pyyaml
}

# What compose.yaml gives to each service, and that it is a fleet of three behind nginx.
judge_fleet() {
  "$tools/local/bin/python" - "$1" <<'PYTHON'
import pathlib, sys, yaml

folder = pathlib.Path(sys.argv[1])
compose = yaml.safe_load((folder / "compose.yaml").read_text(encoding="utf-8"))
services, wrong = compose["services"], []


def hold(good, words):
    if not good:
        wrong.append(words)


for name, service in services.items():
    hold(service.get("read_only") and service.get("cap_drop") == ["ALL"] and not service.get("cap_add"), f"{name} can write, or has rights")
    hold(service.get("security_opt") == ["no-new-privileges:true"] and not service.get("privileged"), f"{name} can win rights")
    hold(service.get("user") not in (None, "root", "0"), f"{name} may run as root")
    hold(service.get("restart") == "no" or "healthcheck" in service, f"{name} has no health check")
    for port in service.get("ports", []):
        hold(name == "nginx" and port.startswith("127.0.0.1:"), f"{name} publishes {port}")
    for volume in service.get("volumes", []):
        source, *rest = volume.split(":")
        if source.startswith("."):
            hold((folder / source).is_file() and rest[-1] == "ro", f"{name}: {source} is not there, or can be written")
        else:
            hold(source in compose["volumes"], f"{name}: no volume {source}")
    for secret in service.get("secrets", []):
        hold(secret in compose["secrets"], f"{name}: no secret {secret}")
    for key, value in service.get("environment", {}).items():
        hold("PASSWORD" not in key or value.startswith("/run/secrets/"), f"{name}: {key} is no file")
    for needed, how in service.get("depends_on", {}).items():
        ends = how["condition"] == "service_completed_successfully"
        hold((services[needed].get("restart") == "no") == ends, f"{name} waits for what {needed} does not do")
instances = [name for name, service in services.items() if service.get("image", "").startswith("unslow:") and service.get("restart") != "no"]
hold(instances == ["one", "two", "three"], f"the instances are {instances}")
nginx = (folder / "compose" / "nginx.conf").read_text(encoding="utf-8")
for name in instances:
    hold(services[name] == services["one"], f"{name} differs from one")
    hold(f"server {name}:8000 max_fails=1" in nginx, f"nginx does not know {name}")
    hold(services["nginx"]["depends_on"].get(name), f"nginx does not wait for {name}")
for name, networks in {"nginx": {"front", "fleet"}, "one": {"fleet", "data"}, "postgres": {"data"}, "valkey": {"data"}, "install": {"data"}}.items():
    hold(set(services[name]["networks"]) == networks, f"{name} is on {services[name]['networks']}")
hold(compose["networks"]["fleet"]["internal"] and compose["networks"]["data"]["internal"], "the fleet or its database has a way out")
print("\n".join(wrong))
sys.exit(1 if wrong else 0)
PYTHON
}

# What nginx and unslow make of the files for containers, at addresses and with files that are there.
containers_settings() {
  local folder=$1 there=$work/local-containers nginx
  mkdir -p "$there"
  echo secret >"$there/reader-password"
  sed "s,/run/secrets,$there," "$folder/compose/app.ini" >"$there/app.ini"
  "$program" check --config "$there/app.ini" || return
  nginx=$(PATH=$PATH:/usr/sbin command -v nginx) || { echo 'nginx is not installed'; return 1; }
  sed -e "s,/tmp/,$there/,; s,/dev/stdout,off,; s/access_log off unslow/access_log off/" \
    -e 's/server one:/server 127.0.0.2:/; s/server two:/server 127.0.0.3:/; s/server three:/server 127.0.0.4:/' \
    -e 's/listen 8080/listen 127.0.0.1:18480/' "$folder/compose/nginx.conf" >"$there/nginx.conf"
  "$nginx" -t -e stderr -p "$there/" -c "$there/nginx.conf"
}

# same_lines PATTERN FILE OTHER…: the lines that match are the same in all of them.
same_lines() {
  local pattern=$1 first=$2 file
  shift 2
  lines() { sed 's/^ *//' "$1" | grep -E "$pattern"; }
  lines "$first" >"$work/lines" || { echo "$first has none of $pattern"; return 1; }
  for file in "$@"; do
    lines "$file" | diff --label "$first" --label "$file" "$work/lines" - || return 1
  done
}

# What `unslow deploy KIND` of other kinds writes is passed on in the same way.
same_as_elsewhere() {
  local folder=$1 other=$work/local-others
  mkdir -p "$other"
  "$program" deploy nginx "$other/nginx" >/dev/null
  check 'nginx passes on as that of the kind nginx' same_lines '^(proxy_next_upstream|proxy_http_version|zone )' \
    "$other/nginx/unslow.conf" "$folder/rehearsal/nginx.conf" "$folder/compose/nginx.conf"
  "$program" deploy haproxy "$other/haproxy" >/dev/null
  check 'HAProxy passes on as that of the kind haproxy' same_lines '^(retries|option redispatch|retry-on|http-request disable-l7|option httpchk|http-check)' \
    "$other/haproxy/haproxy.cfg" "$folder/rehearsal/haproxy.cfg"
  check 'the database user is that of the kind container' \
    diff assets/deploy/container/create-reader.sh "$folder/compose/create-reader.sh"
}

check_local() {
  local folder=$1
  if have shellcheck; then
    check 'shellcheck' shellcheck -x -P "$folder" "$folder/rehearse.sh" "$folder"/rehearsal/*.sh "$folder/compose/create-reader.sh"
  else
    skip 'shellcheck: it is not installed (apt-get install shellcheck)'
  fi
  same_as_elsewhere "$folder"
  if ! have python3 || ! local_venv >"$work/venv" 2>&1; then
    skip 'compose.yaml: what reads it cannot be installed (python3 with venv, PyPI)'
  else
    check 'form: compose.yaml' "$tools/local/bin/check-jsonschema" --builtin-schema vendor.compose-spec "$folder/compose.yaml"
    check 'rights: compose.yaml' judge_fleet "$folder"
  fi
  check 'settings in containers' containers_settings "$folder"
  # PostgreSQL, which refuses root, has to get through to its data.
  chmod 711 "$work"
  mkdir -p "$work/rehearsals"
  if check 'the rehearsal' rehearse "$folder"; then sed 's/^/        /' "$work/said"; fi
  check 'without retries it fails' fails_saying 'requests were lost' rehearse "$folder" --phases kill --without retries
  check 'without one Redis for all it fails' fails_saying 'times within one TTL' \
    rehearse "$folder" --phases before --front nginx --without redis
  check 'interrupted, it leaves nothing running' interrupted "$folder"
}
