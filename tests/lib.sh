# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
# The layer under both test suites and the demo: start and stop a daemon, talk to it, wait for
# something, read its log.  POSIX sh, sourced; needs sluiced and sluice-ctl on PATH.
#
#   sl_start NAME [ARG]...   sluiced with run directory ./NAME, log ./NAME.log, store :memory:
#                            unless an ARG names another; in $SL_NETNS where that is set
#   sl_ctl NAME VERB ...     sluice-ctl to it (no namespace needed: a unix socket is a file)
#   sl_watch NAME VERB ...   the same words over watch.sock; prints the result, or what was refused
#   sl_stop NAME [OK-RE]     SIGTERM, exit status 0 expected, then sl_log_check
#   sl_kill NAME             SIGKILL, as a crash or the OOM killer would
#   sl_log_check NAME [RE]   prints every ERR and WARN line that RE does not ask for; 1 if any
#   sl_wait WHAT COMMAND...  polls COMMAND until it succeeds, at most SL_PATIENCE seconds (10)
#   sl_listens PORT          somebody listens on 127.0.0.1:PORT.  Dialled before, sluiced comes again late only
#
# Nothing here sleeps a fixed time: sl_wait polls for the event itself.

sl_wait() {
    sl_what=$1
    shift
    sl_tries=$((${SL_PATIENCE:-10} * 20))
    while ! "$@" >/dev/null 2>&1; do
        sl_tries=$((sl_tries - 1))
        if [ "$sl_tries" -le 0 ]; then
            echo "waited ${SL_PATIENCE:-10} s in vain for $sl_what" >&2
            return 1
        fi
        sleep 0.05
    done
}

sl_listens() {
    ${SL_NETNS:+nsenter "--net=/run/netns/$SL_NETNS"} cat /proc/net/tcp |
        grep -qi " 0100007F:$(printf %04X "$1") 00000000:0000 0A "
}

sl_running() {
    [ -s "$1.pid" ] && kill -0 "$(cat "$1.pid")"
}

sl_ready() {
    [ ! -e "$1.status" ] || return 0
    [ -S "$1/mgmt.sock" ] && sl_ctl "$1" show
}

sl_ctl() {
    sl_run_dir=$1
    shift
    sluice-ctl -r "$sl_run_dir" "$@"
}

sl_watch() {
    python3 -c '
import json, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1] + "/watch.sock")
s.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": sys.argv[2], "params": sys.argv[3:]}).encode() + b"\n")
answer = json.loads(s.makefile().readline())
print(json.dumps(answer["error"]["data"] if "error" in answer else answer["result"]))
sys.exit("error" in answer)' "$@"
}

# The daemon's parent waits for it in the background and leaves its exit status in NAME.status.
sl_start() {
    sl_name=$1
    shift
    mkdir -p "$sl_name"
    rm -f "$sl_name.status" "$sl_name.pid"
    case " $* " in
    *" --db "*) ;;
    *) set -- --db :memory: "$@" ;;
    esac
    set -- sluiced --run-dir "$sl_name" "$@"
    if [ -n "${SL_NETNS:-}" ]; then
        # nsenter keeps /sys and mounts as they are, and execs: the pid is the daemon's own.
        set -- nsenter "--net=/run/netns/$SL_NETNS" "$@"
    fi
    (
        "$@" >>"$sl_name.log" 2>&1 </dev/null &
        echo $! >"$sl_name.pid"
        sl_status=0
        wait $! || sl_status=$?
        echo "$sl_status" >"$sl_name.status"
    ) >/dev/null 2>&1 </dev/null &
    sl_wait "sluiced $sl_name to answer" sl_ready "$sl_name" || {
        cat "$sl_name.log" >&2
        return 1
    }
    if [ -e "$sl_name.status" ]; then
        echo "sluiced $sl_name ended at once, status $(cat "$sl_name.status")" >&2
        cat "$sl_name.log" >&2
        return 1
    fi
}

sl_end() {
    if [ -s "$2.pid" ] && [ ! -e "$2.status" ]; then
        kill "-$1" "$(cat "$2.pid")" 2>/dev/null || :
        sl_wait "sluiced $2 to end" test -s "$2.status" || return 1
    fi
    rm -f "$2.pid"
}

sl_kill() {
    sl_end KILL "$1"
}

sl_stop() {
    sl_end TERM "$1" || return 1
    if [ -e "$1.status" ] && [ "$(cat "$1.status")" != 0 ]; then
        echo "sluiced $1 ended with status $(cat "$1.status"); the end of its log:" >&2
        tail -n 40 "$1.log" >&2
        return 1
    fi
    sl_log_check "$@"
}

sl_log_check() {
    if awk -v ok="${2:-}" '
        /^[^ ]* (ERR|WARN) / || /ERROR: (Address|Leak|Thread)Sanitizer|runtime error:/ {
            if (ok == "" || $0 !~ ok) { print FILENAME ": " $0; bad = 1 }
        }
        END { exit bad }' "$1.log" >&2; then
        return 0
    fi
    echo "the log of $1 has lines that this test did not ask for" >&2
    return 1
}
