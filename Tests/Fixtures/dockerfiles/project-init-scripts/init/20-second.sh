#!/bin/sh
echo "20 by $(id -un)"
