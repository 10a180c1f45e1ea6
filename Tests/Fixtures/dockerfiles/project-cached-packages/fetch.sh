#!/bin/sh
set -e
mkdir -p /opt/packages
for name; do
    if [ -e "/var/cache/fetch/$name" ]; then
        echo "cached $name"
    else
        echo "downloaded $name"
        cp "/mirror/$name" "/var/cache/fetch/$name"
    fi
    cp "/var/cache/fetch/$name" /opt/packages/
done
