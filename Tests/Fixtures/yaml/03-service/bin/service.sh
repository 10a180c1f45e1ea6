#!/bin/sh
exec true "$@"
