# shellcheck shell=bash
# The checks of `unslow deploy caddy`, for check-deploy: Caddy reads the file and would not write it
# otherwise, and unslow its settings. Whether they do what they say is tested by `front_…`.
# shellcheck disable=SC2154 # work, program and the words for results are check-deploy's

# caddy fmt changes nothing. Its own --diff came later than 2.6.
formatted() { diff "$1" <(caddy fmt "$1"); }

check_caddy() {
  local folder=$1
  check 'unslow takes app.ini of caddy' "$program" check --config "$folder/app.ini"
  have caddy || { skip 'caddy validate: caddy is not installed'; return; }
  check 'caddy validate' env HOME="$work" XDG_DATA_HOME="$work" XDG_CONFIG_HOME="$work" \
    caddy validate --adapter caddyfile --config "$folder/Caddyfile"
  check 'caddy fmt' formatted "$folder/Caddyfile"
}
