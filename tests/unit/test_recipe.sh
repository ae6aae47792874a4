#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The cache that the QEMU and image recipes share. $1: vm-images/recipe.sh
. "$1"
n=0 failed=0
check() { # DESCRIPTION COMMAND...: ok if the command succeeds
    n=$((n + 1)) what=$1; shift
    if "$@"; then echo "ok $n - $what"; else echo "not ok $n - $what"; failed=1; fi
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export VGPU_CACHE="$work/cache with blank"
echo one > "$work/a"; echo two > "$work/b"

key() { echo "$1" | recipe_key "$work" a b; }
first=$(key x)
check "the key is a hash" [ "${#first}" = 64 ]
check "the same content gives the same key" [ "$(key x)" = "$first" ]
check "other parameters give another" [ "$(key y)" != "$first" ]
echo three > "$work/b"
check "other content gives another" [ "$(key x)" != "$first" ]

build() { echo built >> "$work/count"; echo noise; sleep 0.3; echo result > "$1/file"; }
(cached thing "$first" build > "$work/out1") & (cached thing "$first" build > "$work/out2") & wait
check "two at once build once" [ "$(cat "$work/count")" = built ]
check "and both get the result" [ "$(cat "$work/out1")" = "$VGPU_CACHE/thing/$first" ]
check "the same one" cmp -s "$work/out1" "$work/out2"
check "with what was built" [ "$(cat "$VGPU_CACHE/thing/$first/file")" = result ]
check "and its log" grep -q noise "$VGPU_CACHE/thing/$first/build.log"
check "nothing temporary is left" [ "$(ls -A "$VGPU_CACHE/thing" | sort | tr '\n' ' ')" = ".lock $first " ]

(find_only=yes; cached thing absent build) > "$work/out"
check "a recipe that only looks fails where there is nothing" [ $? = 1 ]
check "and makes nothing" [ ! -e "$VGPU_CACHE/thing/absent" ]
check "but finds what is there" [ "$(find_only=yes; cached thing "$first" build)" = "$VGPU_CACHE/thing/$first" ]

broken() { echo "about to fail"; false; echo result > "$1/file"; }
(set -eu; cached thing broken broken) > "$work/out" 2> "$work/err"
check "a step that fails ends the build" [ $? != 0 ]
check "prints no directory" [ ! -s "$work/out" ]
check "shows the end of the log" grep -q "about to fail" "$work/err"
check "and leaves nothing" [ ! -e "$VGPU_CACHE/thing/broken" ]
check "so that the next one can build" [ "$(set -eu; cached thing broken build)" = "$VGPU_CACHE/thing/broken" ]

mkdir "$VGPU_CACHE/thing/.tmp.stale"
cached thing third build > /dev/null
check "what a killed build left is removed" [ ! -e "$VGPU_CACHE/thing/.tmp.stale" ]

sources=$(debian_sources deb-src bookworm 2>&1)
if [ $? = 0 ]; then
    check "apt's sources become source lines of the suite" \
        sh -c 'echo "$1" | grep -q "^deb-src \[signed-by=[^]]*\] [^ ]* bookworm main$"' - "$sources"
else
    n=$((n + 1)); echo "ok $n # SKIP this system has no Debian archive in its apt sources"
fi
echo "1..$n"
exit $failed
