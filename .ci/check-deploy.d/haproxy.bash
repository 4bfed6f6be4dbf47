# shellcheck shell=bash
# The checks of `unslow deploy haproxy`, for check-deploy: HAProxy reads the configuration with the
# certificate that certificate.sh has put together, and unslow its settings. Whether they do what they
# say is tested by `front_…`.
# shellcheck disable=SC2154 # work, program and the words for results are check-deploy's

# certificate.sh as certbot runs it, with a stand-in for systemctl: the file holds chain and key, for
# its owner alone, and HAProxy is told; without a key nothing is touched.
try_certificate() {
  local script=$1/certificate.sh here=$2
  mkdir -p "$here/bin" "$here/lineage"
  printf '#!/bin/sh\necho "$*" >>"%s"\n' "$here/asked" >"$here/bin/systemctl"
  chmod +x "$here/bin/systemctl"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
    -subj /CN=unslow.example.com -keyout "$here/lineage/privkey.pem" -out "$here/lineage/fullchain.pem" 2>/dev/null
  RENEWED_LINEAGE=$here/lineage PATH=$here/bin:$PATH "$script" "$here/unslow.pem" || return 1
  cmp "$here/unslow.pem" <(cat "$here/lineage/fullchain.pem" "$here/lineage/privkey.pem") || return 1
  [ "$(stat -c %a "$here/unslow.pem")" = 600 ] || { echo 'others may read the key'; return 1; }
  [ "$(cat "$here/asked")" = 'reload haproxy' ] || { echo "systemctl was asked: $(cat "$here/asked")"; return 1; }
  mkdir "$here/empty"
  if RENEWED_LINEAGE=$here/empty PATH=$here/bin:$PATH "$script" "$here/unslow.pem" 2>/dev/null; then
    echo 'it takes a folder without a certificate'
    return 1
  fi
  cmp "$here/unslow.pem" <(cat "$here/lineage/fullchain.pem" "$here/lineage/privkey.pem") || return 1
  [ "$(wc -l <"$here/asked")" = 1 ] || { echo 'systemctl was asked again'; return 1; }
}

check_haproxy() {
  local folder=$1 here=$work/haproxy-here haproxy
  check 'unslow takes app.ini of haproxy' "$program" check --config "$folder/app.ini"
  if have shellcheck; then
    check 'shellcheck certificate.sh' shellcheck "$folder/certificate.sh"
  else
    skip 'shellcheck certificate.sh: shellcheck is not installed'
  fi
  have openssl || { skip 'haproxy -c: openssl, for a certificate, is not installed'; return; }
  check 'certificate.sh' try_certificate "$folder" "$here" || return
  haproxy=$(PATH=$PATH:/usr/sbin command -v haproxy) || { skip 'haproxy -c: haproxy is not installed'; return; }
  # The users are there where the package is.
  sed -e "s,/etc/haproxy/unslow.pem,$here/unslow.pem," "$folder/haproxy.cfg" >"$here/haproxy.cfg"
  # -dW: a warning is an error.
  check 'haproxy -c' "$haproxy" -c -dW -f "$here/haproxy.cfg"
}
