#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every entry of every PTX set in the two pinned npm packages passes the front end.
#   test_ptx_payload.sh VGPU-PTX FETCH       FETCH: vm-images/payload/fetch
set -u
ptx=$1 fetch=$2
sets="13:75 13:80 13:90 12:50 12:61 12:70 12:75 12:80"
echo 1..8
n=0
payload=$("$fetch" --find) || payload=
for set in $sets; do
    n=$((n + 1)) cuda=${set%:*} sm=${set#*:}
    title="CUDA $cuda, sm_$sm"
    if [ -z "$payload" ]; then
        [ "${VGPU_REQUIRE:-0}" != 1 ] || printf 'not '
        echo "ok $n - $title # SKIP payload npm (make payloads)"
        continue
    fi
    said=$("$ptx" --sm "$sm" check "$payload/lib/ollama/cuda_v$cuda/libggml-cuda.so")
    status=$?
    case $status:$said in
    "0:143 images, "*" 0 refused") echo "ok $n - $title: $said" ;;
    *) echo "not ok $n - $title"; echo "$said" | tail -n 20 | sed 's/^/# /' ;;
    esac
done
