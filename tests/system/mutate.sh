#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# mutate.sh [SECONDS [SEED]]: random and mutated aggregates, OpenFlow messages and FLOW texts at a gateway, and good
# ones in between that have to be served (mutate.py).  20 s unless said; ten minutes by hand.
# shellcheck source=tests/system/common.sh
. "$(dirname "$0")/common.sh"
begin python3

RATE=1gbit net_up || fail "the network does not come up"
head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >auth.key
start_daemon gw
for words in "add-port wan type=afxdp dev=wan" "add-port net type=afxdp dev=net" \
    "add-conn a type=iptfs local=203.0.113.1 remote=198.51.100.11 spi-in=0x3001 cipher=null-sha256 auth-key-in=@auth.key"; do
    # shellcheck disable=SC2086
    sl_ctl gw $words || fail "$words"
done
at wan python3 "$system/mutate.py" "${1:-${SECONDS_MUTATE:-20}}" "$work/gw" auth.key ${2:+"$2"} || fail "see above"
# Refusals are answers, not warnings; nothing else may be in the log.
sl_stop gw
