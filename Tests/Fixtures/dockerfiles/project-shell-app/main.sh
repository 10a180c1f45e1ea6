#!/bin/sh
. @LIB@/text.sh
say "$GREETING" "$1"
