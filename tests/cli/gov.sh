# SPDX-License-Identifier: Apache-2.0
# Government from the outside: an operator earns its badge by proved work, a builder by an attested release; they propose, vote, see a change act, take
# it back; and what no vote could do is refused before it is signed.
. "$(dirname "$0")/lib.sh"

# --- without a node, and what a hostile command line gives ---
gives 5 gov list
gives 2 gov vote 1
gives 2 gov vote 1 maybe
gives 2 gov vote x yes
gives 2 gov show -- -1
gives 2 gov stake 1.0000000001
gives 2 gov propose
gives 2 gov propose fee.min=2000 --disbursement 1
gives 2 gov propose fee.mni=2000
has err 'fee.mni'
gives 2 gov propose fee.min=-1
gives 2 gov propose fee.min
gives 2 gov member crown voter
gives 2 badge attest-release voter 12

# --- a network of half a second an epoch ---
small_job 4
rules=epoch.length=10,audit.rate=100,cost.compute=1000000000000,badge.window=1,badge.answered=0,badge.month=1,badge.release_signers=1,gov.months_full=1,gov.voting=8,gov.late_window=0,gov.extension=0
rules=$rules,gov.cooldown=0,gov.unstake_delay=5,gov.freeze=1,gov.proposal_stake=1000000000
gives 0 genesis new --alloc buyer=1000,operator=5000,builder=3000,friend=100,signer=10,issuer=10 --releases signer --bound fee.min=1:50000 --param $rules --json
start_node
gives 0 gov list --json
json 'd["proposals"] == []'
gives 3 gov show 1
gives 0 gov power builder --json
json 'd["exists"] is False and d["power_builders"] == "0"'
gives 4 gov propose fee.min=2000 --key builder --yes # no power yet
has err 'no house'

# The builder.
release=$(printf '%064d' 7)
gives 6 badge attest-release builder "$release" --key friend
has err 'release_attest.sender'
gives 0 badge attest-release builder "$release"
gives 6 badge attest-release builder "$release"
gives 0 gov stake 1000 --key builder
gives 0 gov stake 10 --key friend

# The operator, by one proved job.
gives 0 worker register --key operator --bond 2000
gives 0 kyc attest operator --level 1 --jurisdiction 276
"$TB" job run "$WORK/spec.json" --yes --bids 1 --json >"$WORK/job.out" 2>"$WORK/job.err" </dev/null &
run=$!
job=$(job_said)
gives 0 worker bid "$job" 0.2 --key operator
url=$(coordinator_said)
"$TB" worker run --key operator --job "$job" --coordinator "$url" --threads 1 >/dev/null 2>"$WORK/worker.err" </dev/null &
worker=$!
wait "$run"
code=$?
kill $worker
cp "$WORK/job.err" "$WORK/err"
checks=$((checks + 1))
[ $code -eq 0 ] || fail "job run: exit code $code"
gives 0 gov stake 1000 --key operator

# until KEY FIELD: waits until the account has power there.
until_power() {
    for _ in $(seq 300); do
        gives 0 gov power "$1" --json
        [ "$(value "d['$2']")" != 0 ] && return
        sleep 0.1
    done
    fail "$1 gets no $2"
    exit 1
}
until_power builder power_builders
until_power operator power_operators
json 'd["power_compute"] == d["power_operators"] == d["houses"]["compute"] == d["houses"]["all"] and d["power_storage"] == "0"'
gives 0 gov power operator
has out 'compute'
sleep 1 # what power counts was there when an epoch ended

# --- refused before it is signed, with the row and its bound ---
nonce() { rpc account.get "{\"address\": \"$("$TB" wallet export-address operator </dev/null)\"}"; value 'd["nonce"]'; }
before=$(nonce)
gives 8 gov propose fee.min=50001 --key operator --yes
has err 'fee.min: from 1 to 50000 nBLOCK'
gives 4 gov propose supply.cap=1 --key operator --yes
has err 'no vote changes it'
gives 6 gov propose fee.min=1000 --key operator --yes
has err 'already'
gives 4 gov propose fee.min=999 --emergency --key operator --yes
has err 'only tightens'
gives 8 gov propose fee.min=1001 StorageUtilTargetBps=5000 --key operator --yes
has err 'other operators decide'
gives 8 gov propose gov.late_window=3 --key operator --yes
has err '4 * gov.late_window <= gov.voting'
gives 2 gov propose fee.min=2000 --key operator
has err '--yes'
gives 2 gov propose fee.min=2000 --house lords --key operator --yes
gives 2 gov propose fee.min=2000 --document 12 --key operator --yes
checks=$((checks + 1))
[ "$(nonce)" = "$before" ] || fail "something refused was sent all the same"
gives 6 gov propose fee.min=2000 --stake 0.5 --key operator --yes # the ledger's part
has err 'proposal.stake'
gives 6 gov propose fee.min=2000 --house builders --key operator --yes
has err 'proposal.house'

# --- a change, from the proposal to the fee ---
gives 0 gov propose fee.per_byte=11 fee.min=2000 --key operator --yes --json
json 'd["outcome"] == "ok"'
gives 0 gov show 1 --json
json 'd["kind"] == "parameters" and d["class"] == "operational" and d["status"] == "open" and d["house"] == "operators" and d["obstacle"] == "quorum"'
json '[(c["key"], c["value"], c["in_force"], c["before"]) for c in d["changed"]] == [("fee.min", "2000", "1000", None), ("fee.per_byte", "11", "10", None)]'
json 'int(d["vote_first_height"]) == (int(d["vote_start"]) - 1) * 10 + 1 and int(d["vote_last_height"]) == (int(d["vote_end"]) - 1) * 10'
json 'int(d["houses"]["operators"]["quorum_power"]) == -(-int(d["houses"]["operators"]["eligible"]) * 200000 // 1000000) > 0'

# until_status N STATUS
until_status() {
    for _ in $(seq 300); do
        gives 0 gov show "$1" --json
        [ "$(value 'd["status"]')" = "$2" ] && return
        sleep 0.1
    done
    fail "proposal $1 is not $2"
    exit 1
}
# vote N KEY CHOICE: as soon as the vote is open
vote() {
    for _ in $(seq 100); do
        rpc gov.get "{\"proposal\": \"$1\"}"
        [ "$(value 'int(d["height"]) + 1 >= int(d["vote_first_height"])')" = True ] && break
        sleep 0.05
    done
    gives 0 gov vote "$1" "$3" --key "$2"
}
gives 6 gov vote 1 yes --key signer
gives 6 gov vote 2 yes --key operator
vote 1 operator yes
gives 0 gov show 1 --json
json 'd["obstacle"] == "quorum" and d["houses"]["operators"]["yes_ppm"] == "1000000"'
json '(lambda h: int(h["turnout_ppm"]) == int(h["cast"]) * 10**6 // int(h["eligible"]) >= 200000)(d["houses"]["operators"])'
json 'd["houses"]["builders"]["yes_ppm"] is None and d["houses"]["builders"]["turnout_ppm"] == "0"'
vote 1 builder no
gives 0 gov show 1 --json
json 'd["obstacle"] == "builders"'
gives 6 gov unstake 1 --key builder # locked by its vote
has err 'voter.lock_epoch'
vote 1 builder yes
gives 0 gov show 1
has out '100.0000 % yes'
gives 0 gov show 1 --json
json 'd["obstacle"] is None'
until_status 1 activated
json '[(c["before"], c["in_force"]) for c in d["changed"]] == [("1000", "2000"), ("10", "11")] and d["stake"] == "0"'
gives 0 gov params --json
json '[(p["value"], p["previous"], p["proposal"], p["max"]) for p in d["params"] if p["key"] == "fee.min"] == [("2000", "1000", "1", "50000")]'
gives 0 gov params
has out 'by proposal 1'
gives 0 explain fee.min --json
json 'd["value"] == "2000"'

# --- taken back, by delegated power ---
gives 6 gov rollback 9 --key operator --yes
gives 0 gov delegate operator --house operators --key friend
gives 0 gov undelegate --house operators --key friend
gives 6 gov undelegate --house operators --key friend
gives 0 gov rollback 1 --key operator --yes
gives 0 gov list --json
json '[(p["number"], p["kind"], p["target"]) for p in d["proposals"]] == [("2", "rollback", "1"), ("1", "parameters", "0")]'
gives 0 gov list --status activated --json
json '[p["number"] for p in d["proposals"]] == ["1"]'
gives 8 gov list --status opem
vote 2 operator yes
gives 6 gov vote-for 2 friend --key operator
vote 2 builder yes
until_status 2 activated
gives 0 gov show 1 --json
json 'd["status"] == "rolled back" and [c["in_force"] for c in d["changed"]] == ["1000", "10"]'

# --- a seat, and one that is voted down ---
gives 0 gov member admit-issuer friend --key builder --yes
gives 0 gov show 3 --json
json 'd["kind"] == "membership" and d["membership"]["action"] == "admit issuer" and d["house"] == "builders"'
vote 3 operator no
until_status 3 rejected
gives 0 gov log --json
json 'any(e["name"] == "proposal_refused" and e["proposal"] == "3" for e in d["events"])'
json '{e["name"] for e in d["events"]} >= {"proposed", "voted", "param_changed", "stake_released", "proposal_moved", "delegated", "stake_changed"}'
json 'd["lost"] is False and all(e["name"] not in ("transfer", "standing_changed") for e in d["events"])'
gives 0 gov log
has out 'param_changed'

# --- the way out ---
gives 0 gov unstake 1 --key friend
for _ in $(seq 100); do
    "$TB" gov withdraw --key friend >"$WORK/out" 2>"$WORK/err" </dev/null && break
    sleep 0.1
done
gives 0 gov power friend --json
json 'd["stake"] == "9000000000" and d["unbonding"] == "0"'
gives 6 gov withdraw --key friend
stop_node
