#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# TCP through the connection over a bad line: 1 % of the aggregates lost, 2 % change places with their neighbour.
# No second at zero in SECONDS_TCP (60), and every octet of a file of MEGABYTES (100) is right.
# shellcheck source=tests/system/common.sh
. "$(dirname "$0")/common.sh"
begin iperf3 curl python3 sha256sum

seconds=${SECONDS_TCP:-60} megabytes=${MEGABYTES:-100}
RATE=2gbit net_up impair || fail "the network does not come up"
impair drop=1 swap=2
tunnel replay=1024

spawn rcv iperf3 -s -1 -i 1 -f k --forceflush >iperf.out 2>&1
server=$!
sl_wait "iperf3's server" sh -c "nsenter --net=/run/netns/sl-rcv ss -Hltn | grep -q :5201" || fail "no iperf3 server"
at src iperf3 -c 10.9.0.2 -B 10.1.0.2 -t "$seconds" >iperf-client.out 2>&1 || fail "iperf3: $(tail -n 3 iperf-client.out)"
wait "$server"
awk -v want="$seconds" '
    / sec / && !/sender|receiver/ { n++; sum += $7; if (n <= want && $7 == 0) zero++; if (min == "" || $7 < min) min = $7 }
    END {
        printf "tcp: %d seconds, mean %.1f Mbit/s, worst %.1f Mbit/s, %d at zero\n", n, sum / n / 1000, min / 1000, zero
        exit !(n >= want && !zero)
    }' iperf.out || fail "a second of TCP at zero: $(cat iperf.out)"

mkdir web
head -c "$((megabytes * 1000000))" /dev/urandom >web/file
(cd web && exec nsenter --net=/run/netns/sl-src -- python3 -m http.server -b 10.1.0.2 80) >web.out 2>&1 &
sl_wait "the web server" sh -c "nsenter --net=/run/netns/sl-src ss -Hltn | grep -q :80" || fail "no web server"
at rcv curl -sS -m 300 -o file -w 'curl: %{size_download} octets at %{speed_download} B/s\n' http://10.1.0.2/file ||
    fail "curl did not get the file"
cmp web/file file || fail "the file came through wrong"
impair_end
awk '/received=/ { for (i = 2; i <= NF; i++) { split($i, p, "="); n[p[1]] += p[2] } }
    END { exit !(n["drop"] > 100 && n["swap"] > 100 && n["no-room"] == 0) }' impair.out || fail "the line was not bad"
sl_stop agg && sl_stop gw
