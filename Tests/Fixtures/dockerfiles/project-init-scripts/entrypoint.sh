#!/bin/sh
set -e
for script in /docker-entrypoint.d/*.sh; do
    "$script" >> "$INIT_LOG"
done
exec "$@"
