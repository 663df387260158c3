# SPDX-License-Identifier: Apache-2.0
# The buyer's and the workers' processes: a job from its spec to receipts that hold, and copies that do not; a cheat is caught.
. "$(dirname "$0")/lib.sh"

for i in $(seq 300); do
    echo "the quick brown fox number $i jumps over the lazy dog and sleeps for $((i * 7 % 13)) hours."
done >"$WORK/text"
cat >"$WORK/spec.json" <<J
{"data": "$WORK/text", "width": 32, "layers": 2, "heads": 2, "context": 32, "steps": 8, "batch": 8, "lease": 2, "warm_steps": 2,
 "price": "0.25", "checkpoint_steps": 4}
J
gives 0 job quote "$WORK/spec.json" --json
json 'd["cost_max_nblock"] == "250000000" and d["level"] == "refereed" and d["tariff_bps"] is None'
for bad in '{"width": 0}' '{"width": "128"}' '{"price": 1}' '{"nothing": 1}' '{"lease": 3}' '{"sample_ppm": 250001}' '{"bits": 7}' '[]' '{' '{"width":1,"width":2}'; do
    printf '%s' "$bad" >"$WORK/bad.json"
    "$TB" job quote "$WORK/bad.json" >"$WORK/out" 2>"$WORK/err"
    got=$?
    checks=$((checks + 1))
    [ $got -eq 2 ] || fail "spec $bad: exit code $got"
done
gives 3 job quote "$WORK/missing.json"
gives 5 job post "$WORK/spec.json" --yes

gives 0 genesis new --alloc buyer=1000,honest=50,cheat=50 --json
trust=$(value 'd["genesis"] + ":" + d["producer_key"]')
start_node
gives 2 job post "$WORK/spec.json"
gives 0 worker register --key honest --bond 20
gives 0 worker register --key cheat --bond 20 --json
json 'd["outcome"] == "ok"'
gives 6 worker register --key honest --bond 1000
gives 6 worker bid "$(printf '0%.0s' $(seq 64))" 1 --key honest

"$TB" job run "$WORK/spec.json" --yes --bids 2 --bundle 1 --json >"$WORK/job.out" 2>"$WORK/job.err" </dev/null &
run=$!
job=$(job_said)
# What the ledger refuses ends in 6, whatever the code: the price is out of range, the job is another buyer's.
gives 6 worker bid "$job" 99 --key honest
gives 6 worker run --key honest --job "$job" --coordinator http://127.0.0.1:1 --price 99 --json
json 'd["error"]["name"] == "RANGE" and d["error"]["subject"] in ("rejected", "failed")'
gives 0 worker bid "$job" 0.2 --key honest
gives 6 job run "$WORK/spec.json" --job "$job" --yes --key honest --json
json 'd["error"]["name"] == "PERMISSION" and d["error"]["subject"] in ("rejected", "failed")'
gives 0 worker bid "$job" 0.2 --key cheat
url=$(coordinator_said)
"$TB" worker run --key honest --job "$job" --coordinator "$url" --threads 1 >"$WORK/honest.out" 2>"$WORK/honest.err" </dev/null &
honest=$!
"$TB" worker run --key cheat --job "$job" --coordinator "$url" --threads 1 --cheat-seed 3 --cheat-rate 1000000 >"$WORK/cheat.out" 2>"$WORK/cheat.err" </dev/null &
cheat=$!
wait "$run"
code=$?
cp "$WORK/job.out" "$WORK/out"
cp "$WORK/job.err" "$WORK/err"
checks=$((checks + 1))
[ $code -eq 0 ] || fail "job run: exit code $code"
json 'd["leases_paid"] == "32" and int(d["sampled"]) >= 1 and d["steps"] == "8"'
json 'd["differing"] == "0" or (d["slashed"] != "0" and d["evidence"] != "")'
receipts=$(value 'd["receipts"]')
evidence=$(value 'd["evidence"]')
bundle=$(dirname "$receipts")/bundle
wait "$honest"
code=$?
checks=$((checks + 1))
[ $code -eq 0 ] || fail "the honest worker: exit code $code"
wait "$cheat"
code=$?
checks=$((checks + 1))
[ $code -eq 0 ] || [ $code -eq 8 ] || fail "the cheating worker: exit code $code"
gives 0 job status "$job" --json
json 'd["status"] == "complete" and d["sequences_paid"] == "64" and d["escrow_left"] == "0"'
gives 0 worker claim --key honest --json
json 'd["schema"] == "tb-worker-claim-1" and d["claimed"] == d["waiting"] == d["lost"] == d["refused"] == "0"'
gives 3 worker claim --key nobody
gives 0 worker status honest --json
json 'd["chain"]["leases_spoiled"] == "0" and int(d["chain"]["leases_paid"]) >= 1'
if [ -n "$evidence" ]; then
    gives 0 dispute replay "$evidence" --json
    json 'd["committed"] != d["recomputed"] and d["operation"] != "?"'
    cp "$evidence" "$WORK/evidence"
    printf '\377' | dd of="$WORK/evidence" bs=1 seek=300 conv=notrunc 2>/dev/null
    cmp -s "$WORK/evidence" "$evidence" || gives 8 dispute replay "$WORK/evidence"
fi

# Receipts, offline: the node is gone.
gives 0 receipt make "$job" "$(basename "$(ls "$receipts" | head -1)" .cbor)" --out "$WORK/made.cbor"
stop_node
for file in "$receipts"/*.cbor "$WORK/made.cbor"; do
    gives 0 receipt verify "$file" --trust "$trust" --json
    json 'd["level"] == "refereed" and len(d["checked"]) >= 5 and len(d["not_checked"]) >= 1'
done
first=$(ls "$receipts"/*.cbor | head -1)
# A second implementation, from the specification alone, comes to the same verdicts.
oracle=$(dirname "$0")/receipt_oracle.py
checks=$((checks + 1))
/usr/bin/python3 "$oracle" "$trust" "$receipts"/*.cbor "$WORK/made.cbor" >"$WORK/out" 2>"$WORK/err" || fail "the oracle refuses a receipt"
gives 0 receipt verify "$first" --trust "$trust" --genesis "$TB_HOME/genesis.cbor" --json
json 'not any("--genesis" in line for line in d["not_checked"])'
gives 8 receipt verify "$first" --trust "$trust" --genesis "$first"
wrong=$(echo "$trust" | tr '0123456789abcdef' '123456789abcdef0')
gives 8 receipt verify "$first" --trust "$wrong"
size=$(stat -c %s "$first")
for at in $(seq 0 $((size / 40)) $((size - 1))); do
    /usr/bin/python3 - "$first" "$WORK/changed.cbor" "$at" <<'P'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
data[int(sys.argv[3])] ^= 1
open(sys.argv[2], "wb").write(data)
P
    gives 8 receipt verify "$WORK/changed.cbor" --trust "$trust" --json
    json 'd["error"]["what"] != "" and d["error"]["at"].isdigit()'
    checks=$((checks + 1))
    /usr/bin/python3 "$oracle" "$trust" "$WORK/changed.cbor" >"$WORK/out" 2>"$WORK/err" && fail "the oracle accepts a change of byte $at"
done
head -c $((size - 1)) "$first" >"$WORK/cut.cbor"
gives 8 receipt verify "$WORK/cut.cbor" --trust "$trust"

# With the bundle anyone computes a lease again; what the sample missed comes to light.
gives 0 wallet export-address honest
honest=$(cat "$WORK/out")
for file in "$receipts"/*.cbor; do
    gives 0 receipt verify "$file" --trust "$trust" --json
    if [ "$(value 'd["worker"]')" = "$honest" ]; then
        gives 0 receipt verify "$file" --trust "$trust" --bundle "$bundle" --json
        json 'any("bit for bit" in line for line in d["checked"])'
        last=$file
    else
        gives 8 receipt verify "$file" --trust "$trust" --bundle "$bundle" --json
        json 'd["error"]["name"] == "CHEAT"'
    fi
done
gives 3 receipt verify "$last" --trust "$trust" --bundle "$WORK"
for model in "$bundle"/*.model; do
    printf '\001\002\003' | dd of="$model" bs=1 seek=1000 conv=notrunc 2>/dev/null
done
gives 8 receipt verify "$last" --trust "$trust" --bundle "$bundle"
