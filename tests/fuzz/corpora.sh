#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every fuzz target over its stored inputs and their mutants.
src=${srcdir:-.}/tests/fuzz
status=0
for source in "$src"/fuzz-*.c; do
    name=$(basename "$source" .c)
    echo "$name:"
    "tests/fuzz/$name" "$src/corpus/${name#fuzz-}" || status=1
done
exit $status
