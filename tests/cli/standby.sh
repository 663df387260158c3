# SPDX-License-Identifier: Apache-2.0
# A worker that has proved a lease stands by when there are no jobs, and is paid for it out of the pool; one that does not answer gets nothing.
. "$(dirname "$0")/lib.sh"

small_job 4
gives 0 genesis new --alloc buyer=1000,honest=5000,silent=5000,issuer=10 --param epoch.length=20,audit.rate=100,cost.compute=1000000000000 --json
start_node --idle 50
for key in honest silent; do
    gives 0 worker register --key $key --bond 2000
    gives 0 kyc attest $key --key issuer --level 1 --jurisdiction 276
done
"$TB" job run "$WORK/spec.json" --yes --bids 2 --json >"$WORK/job.out" 2>"$WORK/job.err" </dev/null &
run=$!
workers=
job=$(job_said)
gives 0 worker bid "$job" 0.2 --key honest
gives 0 worker bid "$job" 0.2 --key silent
url=$(coordinator_said)
for key in honest silent; do
    "$TB" worker run --key $key --job "$job" --coordinator "$url" --threads 1 >/dev/null 2>"$WORK/$key.err" </dev/null &
    workers="$workers $!"
done
wait "$run"
code=$?
kill $workers # they would stay, to show what is audited
cp "$WORK/job.err" "$WORK/err"
checks=$((checks + 1))
[ $code -eq 0 ] || fail "job run: exit code $code"

# Its capacity is proved once the epoch of its work has been visited.
provider() {
    rpc econ.provider "{\"provider\": \"$("$TB" wallet export-address "$1" </dev/null)\"}"
    value "d['markets']['compute']['$2']"
}
for key in honest silent; do
    for _ in $(seq 200); do
        [ "$(provider $key subsidies)" -gt 0 ] && break
        sleep 0.2
    done
    checks=$((checks + 2))
    [ "$(provider $key subsidies)" -gt 0 ] || fail "proved work earned no subsidy"
    [ "$(provider $key capacity)" -gt 0 ] || fail "no capacity was proved"
done
before=$(provider honest subsidies)
silent=$(provider silent subsidies)
gives 0 worker standby --key honest --answers 2 --json
json 'd["answered"] == "2" or d["answered"] == 2'
for _ in $(seq 200); do
    [ "$(provider honest subsidies)" -gt "$before" ] && break
    sleep 0.2
done
checks=$((checks + 1))
[ "$(provider honest subsidies)" -gt "$before" ] || fail "standing by earned nothing"
checks=$((checks + 1))
[ "$(provider silent subsidies)" -eq "$silent" ] || fail "who did not answer was paid"
stop_node
