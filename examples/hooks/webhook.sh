#!/bin/sh
# Posts what has happened in a cluster to the URL in WEBHOOK_URL, as the JSON that the hook is given on stdin.
#
#     WEBHOOK_URL=https://example.org/hook clustermon run --on worker_exit=./webhook.sh -- node server.js
#
# It ends by itself before --hook-timeout (30 s) is over. An answer of 400 or more is a failure, which the log and `status` show.
set -eu
exec curl --silent --show-error --fail --output /dev/null \
	--connect-timeout 3 --max-time 8 --retry 2 --retry-delay 1 \
	--header 'Content-Type: application/json' --data-binary @- \
	"${WEBHOOK_URL:?no WEBHOOK_URL is set}"
