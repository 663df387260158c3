# SPDX-License-Identifier: Apache-2.0
# Sovereign forks: documents made, changed, compared and judged; four profiles as running networks that refuse each other; docs/forks.md.
. "$(dirname "$0")/lib.sh"
HERE=$(cd "$(dirname "$0")" && pwd)

# --- documents ---

export TB_HOME=$WORK/docs
g=$TB_HOME/genesis.cbor
gives 2 genesis new --profile monarchy
gives 2 genesis new --profile citizen --bound nothing=1:2
gives 2 genesis new --bound fee.min=1
gives 2 genesis new --bound fee.min=1:x
gives 8 genesis new --prefix Upper
has err 'genesis.address_prefix'
gives 8 genesis new --profile citizen --param TariffMinBps=49
has err 'genesis bound: TariffMinBps'
gives 8 genesis new --bound supply.cap=40000000000000000:40000000000000000
has err 'genesis bound: supply.cap'
gives 2 genesis new --packs "ruler@100000"
gives 2 genesis new --releases "signer@756"
gives 2 genesis new --prefix alp --alloc tb1adhycedtf0fy854878t88jtrj9fyugu2ygnhrqj5plha5vtsvty6szzzzzz=1
gives 2 genesis new --chain-id own --alloc 0000000000000000000000000000000000000000000000000000000000000001=1
gives 4 genesis new --chain-id own # the keys that are here by now are development keys
has err 'development key'
gives 0 genesis new --profile citizen --prefix alp --chain-id alp-dev --alloc buyer=10 --producer one,two --packs ruler@756,all --releases signer --json
json 'd["profile"] == "citizen" and d["bounds"] == 4 and d["address_prefix"] == "alp"'
hash=$(value 'd["genesis"]')
gives 0 genesis show --json
json 'len(d["producers"]) == 2 and [(a["role"], a["region"]) for a in d["authorities"]].count(("packs", 756)) == 1 and len(d["authorities"]) == 3'
json 'd["bounds"]["TariffMinBps"] == {"min": "50", "max": "200"} and d["params"]["gov.kyc_required"] == "1"'
json 'd["allocations"][0]["address"].startswith("alp1a")'
gives 0 genesis show
has out 'region 756'
gives 0 genesis hash "$g"
has out "$hash"
checks=$((checks + 1))
[ "$(sha256sum "$g" | cut -d' ' -f1)" = "$hash" ] || fail "the hash is not SHA-256 of the document"
gives 0 wallet export-address buyer
has out 'alp1a' # this directory's network, not the base one

gives 2 genesis set "$g" fee.min=5
has err '--out'
gives 2 genesis set "$g" fee.min --out "$WORK/x"
gives 2 genesis set "$g" nothing=5 --out "$WORK/x"
gives 8 genesis set "$g" gov.kyc_required=0 --out "$WORK/x"
has err 'genesis bound: gov.kyc_required'
gives 4 genesis set "$g" chain_id=alp --out "$WORK/x" # allocations, and no development network
gives 3 genesis set "$g" --bound fee.min=none --out "$WORK/x"
checks=$((checks + 1))
[ ! -e "$WORK/x" ] || fail "a refused change left a file"
gives 0 genesis set "$g" fee.min=5 fee.per_byte=7 --bound fee.min=1:9,gov.kyc_required=none --out "$WORK/b" --json
gives 6 genesis set "$g" fee.min=5 --out "$WORK/b"
gives 0 genesis diff "$g" "$g" --json
json 'd["same"] is True and d["differences"] == []'
gives 8 genesis diff "$g" "$WORK/b" --json
json '[(x["kind"], x["key"], x["a"], x["b"]) for x in d["differences"]] == [("param", "fee.min", "1000", "5"), ("param", "fee.per_byte", "10", "7"), ("bound", "fee.min", "", "1:9"), ("bound", "gov.kyc_required", "1:1", "")]'
TB_HOME=$WORK/other gives 0 genesis new --profile citizen --prefix oth --chain-id oth-dev --alloc buyer=10,seller=1 --packs ruler
gives 8 genesis diff "$g" "$WORK/other/genesis.cbor" --json
json '{x["kind"] for x in d["differences"]} == {"network", "producer", "issuer", "packs", "releases", "allocation"}'
json 'len(d["differences"]) == 2 + 3 + 2 + 3 + 1 + 3'
gives 2 genesis diff "$g"
gives 3 genesis diff "$g" "$WORK/nothing"

# Several broken rules at once, each named: fee.min far out, a producer's list that is empty, a bound that the value left.
/usr/bin/python3 - "$g" "$WORK/broken" "$WORK/old" <<'P'
import sys, cbor2
d = cbor2.loads(open(sys.argv[1], "rb").read())
old = ["theblock/genesis/v1"] + d[1:8]
open(sys.argv[3], "wb").write(cbor2.dumps(old))
for row in d[3]:
    if row[0] == 138: row[1] = 40
d[6] = []
d[2] = "A1"
open(sys.argv[2], "wb").write(cbor2.dumps(d))
P
gives 0 genesis validate "$g"
gives 8 genesis validate "$WORK/broken" --json
json 'd["valid"] is False and [p["what"] for p in d["problems"]] == ["genesis.address_prefix", "genesis.producers", "genesis bound: TariffMinBps"]'
gives 8 genesis validate "$WORK/broken"
has out 'genesis bound: TariffMinBps: value out of range (40)'
gives 8 genesis show "$WORK/broken"
for verb in validate hash checklist show; do
    gives 8 genesis $verb "$WORK/old"
    has err 'unknown version (genesis.tag'
done
head -c 500 "$g" >"$WORK/cut"
gives 8 genesis validate "$WORK/cut"

# --- the checklist names each gap, and only it ---

# missing FILE OPTIONS ITEMS...: exactly these are missing.
missing() {
    local file=$1 options=$2 want=$3
    gives 8 genesis checklist "$file" $options --json
    json "[i['item'] for i in d['items'] if not i['ok']] == '$want'.split() and d['ready'] is False and all(i['missing'] for i in d['items'] if not i['ok'])"
}
key=$(printf '11%.0s' $(seq 32)) other=$(printf '22%.0s' $(seq 32))
ready="--prefix own --chain-id own --producer $key --issuer $key --packs $key --releases $key,$other"
n=0
# made OPTIONS...: another document with these in place of the ready ones.
made() {
    n=$((n + 1))
    TB_HOME=$WORK/made$n gives 0 genesis new $ready "$@"
    file=$WORK/made$n/genesis.cbor
}
made --profile citizen
gives 0 genesis checklist "$file" --regions --json
json 'd["ready"] is True and all(i["ok"] for i in d["items"])'
made --chain-id theblock
missing "$file" "" chain_id
made --chain-id own-dev
missing "$file" "" launch
made --chain-id local-dev
missing "$file" "" "chain_id launch"
made --prefix tb
missing "$file" "" address_prefix
for profile in base citizen progressive; do
    made --profile $profile --issuer none
    missing "$file" "" issuer
done
made --profile libertarian --issuer none
gives 0 genesis checklist "$file"
made --packs ''
gives 0 genesis checklist "$file"
missing "$file" --regions packs
made --packs '' --param gov.home_region=756
missing "$file" "" packs
made --releases $key
missing "$file" "" builders
made --param gov.threshold_structural=500000
missing "$file" "" thresholds
made --param gov.timelock_structural=60,gov.freeze=2
missing "$file" "" timelocks
missing "$WORK/broken" "" "valid launch producers builders"

# --- four networks at a time: each settles what is its own, and takes nothing of the others ---

profiles="base citizen libertarian progressive"
for profile in $profiles; do
    export TB_HOME=$WORK/net-$profile
    case $profile in base) prefix=tb tariff=10 ;; citizen) prefix=cit tariff=20 ;; libertarian) prefix=lib tariff=0 ;; *) prefix=pro tariff=0 ;; esac
    gives 0 genesis new --profile $profile --prefix $prefix --chain-id $profile-dev --alloc buyer=2000,seller=1
    start_node
    gives 0 wallet send seller 10 --from buyer --yes --json
    json "d['outcome'] == 'ok'"
    height=$(value 'd["height"]')
    gives 0 wallet balance seller --json
    json "int(d['accounts'][0]['balance_nblock']) == 11 * 10**9 - $tariff * 10**7"
    rpc chain.block "{\"height\": \"$height\", \"bodies\": true}"
    value 'd["txs"][0]["bytes"]' >"$WORK/tx-$profile"
    gives 0 wallet export-address seller
    cp "$WORK/out" "$WORK/address-$profile"
    stop_node
done
for profile in $profiles; do
    export TB_HOME=$WORK/net-$profile
    start_node
    gives 0 wallet balance buyer --json
    before=$(value 'd["accounts"][0]["balance_nblock"]')
    for theirs in $profiles; do
        [ $theirs = $profile ] && continue
        gives 2 wallet send "$(cat "$WORK/address-$theirs")" 1 --from buyer --yes
        has err 'prefix of another network'
        reply tx.submit "{\"tx\": \"$(cat "$WORK/tx-$theirs")\"}"
        json '"result" not in d and d["error"]["data"]["name"] == "CHAIN_ID"'
    done
    gives 0 wallet balance buyer --json
    json "d['accounts'][0]['balance_nblock'] == '$before'"
    stop_node
done

# --- the page ---

mkdir "$WORK/page" "$WORK/bin"
ln -s "$(cd "$(dirname "$TB")" && pwd)/$(basename "$TB")" "$WORK/bin/tb"
/usr/bin/python3 -B "$HERE/genesis_page.py" "$HERE/../../docs/forks.md" >"$WORK/page.sh" || fail "docs/forks.md"
checks=$((checks + 1))
(cd "$WORK/page" && PATH=$WORK/bin:$PATH timeout 120 bash "$WORK/page.sh") >"$WORK/out" 2>"$WORK/err" </dev/null || fail "docs/forks.md: exit code $?"
has out 'they differ'
has out 'network     alpine'
has out '  kyc  alp1'
