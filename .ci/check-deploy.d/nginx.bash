# shellcheck shell=bash
# The checks of `unslow deploy nginx`, for check-deploy: nginx reads the site, with a throw-away
# certificate, and unslow its settings. Whether they do what they say is tested by `front_…`.
# shellcheck disable=SC2154 # work, program and the words for results are check-deploy's

check_nginx() {
  local folder=$1 here=$work/nginx-here nginx
  check 'unslow takes app.ini of nginx' "$program" check --config "$folder/app.ini"
  nginx=$(PATH=$PATH:/usr/sbin command -v nginx) || { skip 'nginx -t: nginx is not installed'; return; }
  have openssl || { skip 'nginx -t: openssl, for a certificate, is not installed'; return; }
  mkdir -p "$here"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
    -subj /CN=unslow.example.com -keyout "$here/privkey.pem" -out "$here/fullchain.pem" 2>/dev/null
  # nginx -t opens logs and listeners: neither the ports below 1024 nor this machine's logs.
  sed -e "s,/etc/letsencrypt/live/unslow.example.com,$here,; s,/var/log/nginx,$here," \
    -e 's/listen 80;/listen 127.0.0.1:18080;/; s/listen 443 /listen 127.0.0.1:18443 /; /listen \[::\]/d' \
    "$folder/unslow.conf" >"$here/unslow.conf"
  cat >"$here/nginx.conf" <<END
pid $here/nginx.pid;
events { }
http {
  client_body_temp_path $here/body; proxy_temp_path $here/proxy; fastcgi_temp_path $here/fastcgi;
  uwsgi_temp_path $here/uwsgi; scgi_temp_path $here/scgi;
  include $here/unslow.conf;
}
END
  check 'nginx -t' "$nginx" -t -e stderr -c "$here/nginx.conf"
}
