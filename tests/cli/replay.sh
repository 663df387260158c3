# SPDX-License-Identifier: Apache-2.0
# The history again from the genesis: it must give the node's state to the unit, and one changed byte of it must be found and named.
. "$(dirname "$0")/lib.sh"

gives 0 genesis new --alloc payer=1000,payee=10,worker=5000,issuer=10 --param epoch.length=5 --json
start_node --idle 50
gives 0 worker register --key worker --bond 2000
gives 0 kyc attest worker --key issuer --level 1 --jurisdiction 276
for amount in 100 5 2.5; do
    gives 0 wallet send payee $amount --from payer --yes
done
awaits econ epoch 4

gives 0 audit replay --json
json 'd["schema"] == "tb-audit-replay-1" and int(d["height"]) >= 20 and int(d["txs"]) == 5 and d["failed"] == "0" and d["bonds"] == "2000000000000"'
json 'sum(int(d[k]) for k in ("balances", "escrow", "bonds", "stakes", "treasury", "disbursing", "subsidy", "awarded")) == int(d["minted"]) - int(d["burned"])'
json 'd["accounts"] >= 4 and int(d["minted"]) > 6020 * 10**9'
gives 0 audit replay
has out "give the state that the node has"
has out "2000.000 BLOCK"

# Another genesis is another network.
TB_HOME=$WORK/other gives 0 genesis new --alloc payer=1001 --json
gives 6 audit replay --genesis "$WORK/other/genesis.cbor"
has err "another network"
gives 3 audit replay --genesis "$WORK/nowhere"

# A node that lies: between it and the auditor stands somebody who changes one thing of one answer.
lying() {
    /usr/bin/python3 "$(dirname "$0")/lying_node.py" "$TB_HOME/run/rpc.sock" "$WORK/port" "$1" "$2" 2>"$WORK/liar.err" &
    liar=$!
    for _ in $(seq 100); do
        [ -s "$WORK/port" ] && break
        sleep 0.05
    done
    checks=$((checks + 1))
    "$TB" audit replay --node "http://127.0.0.1:$(cat "$WORK/port")" >"$WORK/out" 2>"$WORK/err" </dev/null
    code=$?
    kill $liar
    wait $liar 2>/dev/null
    rm -f "$WORK/port"
}
lying 0 nothing
[ $code -eq 0 ] || fail "an honest one in between: exit code $code"
for paid in $(seq 20); do
    rpc chain.block "{\"height\": \"$paid\", \"bodies\": true}"
    [ "$(value 'len(d["txs"])')" -gt 0 ] && break
done
for lie in "$paid tx" "7 header" "$paid drop"; do
    # shellcheck disable=SC2086 # two words
    lying $lie
    [ $code -ne 0 ] || fail "taken: $lie"
    has err "block ${lie% *}"
done
lying 0 root
[ $code -eq 8 ] || fail "another state root: exit code $code"
has err "not what the node says"
