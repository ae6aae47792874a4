#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The seeds of one target, a path a line.
export LC_ALL=C
for seed in "$(dirname "$0")/seeds/$1"/*; do
    realpath "$seed"
done
