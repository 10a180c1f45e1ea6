#!/bin/sh
echo "10 by $(id -un)"
