# SPDX-License-Identifier: Apache-2.0
# A proved lease under audit: opened from its receipt and from the ledger, shown, listed; what is refused.
. "$(dirname "$0")/lib.sh"

small_job 2
nothing=$(printf '0%.0s' $(seq 64))
gives 5 audit list
gives 0 genesis new --alloc buyer=1000,honest=50,poor=0.5 --param audit.push_window=300,audit.rate=0 --json
trust=$(value 'd["genesis"] + ":" + d["producer_key"]')
start_node --idle 200
gives 0 worker register --key honest --bond 20
"$TB" job run "$WORK/spec.json" --yes --bids 1 --json >"$WORK/job.out" 2>"$WORK/job.err" </dev/null &
run=$!
job=$(job_said)
gives 0 worker bid "$job" 0.2 --key honest
url=$(coordinator_said)
"$TB" worker run --key honest --job "$job" --coordinator "$url" --threads 1 >"$WORK/honest.out" 2>"$WORK/honest.err" </dev/null &
honest=$!
wait "$run"
code=$?
cp "$WORK/job.out" "$WORK/out"
cp "$WORK/job.err" "$WORK/err"
checks=$((checks + 1))
[ $code -eq 0 ] || fail "job run: exit code $code"
receipts=$(value 'd["receipts"]')
# Gone before the audits: what is not shown cannot be judged, so they stay open for this test to look at.
kill -TERM "$honest" 2>/dev/null
wait "$honest"
set -- "$receipts"/*.cbor
[ $# -eq 4 ] || fail "$# receipts"
first=$(basename "$1" .cbor) second=$(basename "$2" .cbor)

gives 0 audit list --json
json 'd["schema"] == "tb-audit-list-1" and d["audits"] == []'
gives 3 audit show "$job" "$first"
gives 2 audit open
gives 2 audit open "$1" --job "$job" --lease "$first"
gives 2 audit open --job "$job"
gives 2 audit open --job nothing --lease 1
gives 2 audit show "$job" one
gives 2 audit open "$1"
has err "--yes is missing"
gives 8 audit open "$WORK/text" --yes
gives 3 audit open "$WORK/missing" --yes
gives 3 audit open --job "$job" --lease 99 --yes
gives 6 audit open "$1" --key poor --yes --json
json 'd["error"]["name"] == "FUNDS" and d["error"]["what"] == "audit.deposit"'
gives 6 audit close "$job" "$first" --json
json 'd["error"]["name"] == "NOT_FOUND"'

gives 0 audit open "$1" --yes --json
json 'd["schema"] == "tb-audit-open-1" and d["outcome"] == "ok"'
gives 6 audit open "$1" --yes --json
json 'd["error"]["name"] == "DUPLICATE"'
gives 0 audit open --job "$job" --lease "$second" --yes
has err "tb audit show $job $second"
gives 0 audit show "$job" "$first" --json
json "d['schema'] == 'tb-audit-show-1' and d['job'] == '$job' and d['lease_id'] == '$first' and d['status'] == 'open'"
json 'd["deposit"] == "1000000000" and d["drawn"] is False and d["validators"] == 1 and d["votes_valid"] == d["votes_invalid"] == 0'
gives 0 audit show "$job" "$first"
has out "a dispute with 1.000 BLOCK"
gives 0 audit list --status open --json
json "sorted(a['lease_id'] for a in d['audits']) == sorted(['$first', '$second'])"
gives 0 audit list --status valid --json
json 'd["audits"] == []'
gives 8 audit list --status opem
gives 0 audit list
has out "$job $first  open"
gives 6 audit close "$job" "$first" --json
json 'd["error"]["name"] == "BUSY" and d["error"]["what"] == "audit.verdict_window"'
gives 0 worker status honest --json
json 'd["chain"]["audits"] == "2"'

# A receipt says whether anybody audited the lease, and cannot leave it out.
gives 0 receipt make "$job" "$first" --out "$WORK/open.cbor"
stop_node
gives 0 receipt verify "$1" --trust "$trust" --json
json 'd["audit"] == {"status": "none"} and any("nobody audited" in line for line in d["checked"])'
gives 0 receipt verify "$1" --trust "$trust"
has out "audited   by nobody"
gives 0 receipt verify "$WORK/open.cbor" --trust "$trust" --genesis "$TB_HOME/genesis.cbor" --json
json 'd["audit"]["status"] == "open" and d["audit"]["drawn"] is False and any("0 of 1 validators" in line for line in d["not_checked"])'
oracle=$(dirname "$0")/receipt_oracle.py
checks=$((checks + 1))
/usr/bin/python3 "$oracle" "$trust" "$@" "$WORK/open.cbor" >"$WORK/out" 2>"$WORK/err" || fail "the oracle refuses a receipt"
size=$(stat -c %s "$WORK/open.cbor")
for file in "$1" "$WORK/open.cbor"; do
    for at in $(seq 3 $((size / 40)) $(($(stat -c %s "$file") - 1))); do
        /usr/bin/python3 - "$file" "$WORK/changed.cbor" "$at" <<'P'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
data[int(sys.argv[3])] ^= 1
open(sys.argv[2], "wb").write(data)
P
        gives 8 receipt verify "$WORK/changed.cbor" --trust "$trust"
        checks=$((checks + 1))
        /usr/bin/python3 "$oracle" "$trust" "$WORK/changed.cbor" >"$WORK/out" 2>"$WORK/err" && fail "the oracle accepts a change of byte $at"
    done
done
gives 5 audit show "$job" "$first"
