# SPDX-License-Identifier: Apache-2.0
# For the tests beside it: source it with the path of tb. A fresh data directory, gone at the end; a node that is stopped at the end.
set -u
TB=$1
WORK=$(mktemp -d "${TMPDIR:-/tmp}/tb-cli-XXXXXX")
export TB_HOME=$WORK/home NO_COLOR=1
unset XDG_DATA_HOME
NODE=
checks=0 failed=0

finish() {
    [ -n "$NODE" ] && kill "$NODE" 2>/dev/null && wait "$NODE"
    rm -rf "$WORK"
    echo "$checks checks, $failed failed"
    [ "$failed" -eq 0 ]
}
trap 'finish; exit $((failed != 0))' EXIT

fail() {
    failed=$((failed + 1))
    echo "FAILED: $*"
    sed 's/^/    out: /' "$WORK/out" | head -5
    sed 's/^/    err: /' "$WORK/err" | head -5
}

# gives CODE ARGS...: runs tb with nothing on standard input and expects this exit code.
gives() {
    local want=$1 got
    shift
    checks=$((checks + 1))
    "$TB" "$@" >"$WORK/out" 2>"$WORK/err" </dev/null
    got=$?
    [ "$got" -eq "$want" ] || fail "exit code $got, not $want: tb $*"
}

# has FILE TEXT: out or err contains the text.
has() {
    checks=$((checks + 1))
    grep -qF -- "$2" "$WORK/$1" || fail "$1 lacks: $2"
}

# json EXPRESSION: out is one JSON document d for which the Python expression holds.
json() {
    checks=$((checks + 1))
    /usr/bin/python3 -c "import json,sys; d = json.load(sys.stdin); sys.exit(not ($1))" <"$WORK/out" || fail "not so: $1"
}

# The value of an expression over the JSON document in out.
value() {
    /usr/bin/python3 -c "import json,sys; d = json.load(sys.stdin); print($1)" <"$WORK/out"
}

start_node() {
    "$TB" node run --interval 10 --idle 50 "$@" >"$WORK/node.out" 2>"$WORK/node.err" &
    NODE=$!
    for _ in $(seq 100); do
        "$TB" node status >/dev/null 2>&1 && return
        sleep 0.1
    done
    cat "$WORK/node.err"
    echo "FAILED: the node does not answer"
    exit 1
}

stop_node() {
    kill -TERM "$NODE"
    wait "$NODE"
    got=$?
    NODE=
    checks=$((checks + 1))
    [ "$got" -eq 0 ] || fail "the node ended with $got"
}

# reply METHOD PARAMS: one call over the node's socket; the whole answer, errors included, goes to out.
reply() {
    /usr/bin/python3 - "$TB_HOME/run/rpc.sock" "$1" "$2" >"$WORK/out" 2>"$WORK/err" <<'P'
import json, socket, sys
body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": sys.argv[2], "params": json.loads(sys.argv[3])}).encode()
with socket.socket(socket.AF_UNIX) as s:
    s.connect(sys.argv[1])
    s.sendall(b"POST /rpc HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    print(b"".join(iter(lambda: s.recv(65536), b"")).split(b"\r\n\r\n", 1)[1].decode())
P
}

# rpc METHOD PARAMS: the same, the result alone.
rpc() {
    reply "$1" "$2"
    value 'json.dumps(d["result"])' >"$WORK/result" 2>>"$WORK/err"
    mv "$WORK/result" "$WORK/out"
}

# A text to train on, and the specification of a job of one proved step; its leases have $1 sequences.
small_job() {
    for i in $(seq 300); do
        echo "the quick brown fox number $i jumps over the lazy dog and sleeps for $((i * 7 % 13)) hours."
    done >"$WORK/text"
    cat >"$WORK/spec.json" <<J
{"data": "$WORK/text", "width": 32, "layers": 1, "heads": 2, "context": 32, "steps": 1, "batch": 8, "lease": $1, "warm_steps": 1,
 "price": "0.25", "checkpoint_steps": 4, "level": "full"}
J
}

# said PATTERN: what the pattern keeps of a line that `job run` writes to job.err, as soon as it stands there.
said() {
    local found=
    for _ in $(seq 200); do
        found=$(sed -n "s/.*$1\$/\\1/p" "$WORK/job.err")
        [ -n "$found" ] && break
        sleep 0.1
    done
    echo "$found"
}
job_said() { said 'bids on job \([0-9a-f]*\)'; }
coordinator_said() { said '--coordinator \(http.*\)'; }

# awaits ARGS...: until tb with these arguments succeeds.
awaits() {
    for _ in $(seq 200); do
        "$TB" "$@" >/dev/null 2>&1 </dev/null && return
        sleep 0.1
    done
}
