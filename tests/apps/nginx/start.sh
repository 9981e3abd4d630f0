#!/bin/sh
# Starts nginx with a configuration of its own for each worker of a cluster: it cannot read the environment.
own="$PWD/nginx-${PROCESS_LOGICAL_ID:-alone}"
mkdir -p "$own"
sed -e "s|@TEMP@|$own|" -e "s|@PORT@|$PORT|" "$(dirname "$0")/nginx.conf" > "$own/nginx.conf"
PATH="$PATH:/usr/sbin" exec nginx -p "$own" -c "$own/nginx.conf" -g "pid $own/nginx.pid;"
