#!/bin/sh
# The browser tests drive Debian's chromium; install it where it is missing.
set -e
command -v chromium >/dev/null && exit 0
root=""
[ "$(id -u)" = 0 ] || root="sudo"
$root apt-get update -q
DEBIAN_FRONTEND=noninteractive $root apt-get install -y -q --no-install-recommends chromium
