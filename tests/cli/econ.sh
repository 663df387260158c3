# SPDX-License-Identifier: Apache-2.0
# The economy as a user sees it: the running epoch, finished ones, a provider, and the export that others can check.
. "$(dirname "$0")/lib.sh"

gives 0 genesis new --alloc payer=1000,payee=10,worker=5000,issuer=10 --param epoch.length=5 --json
start_node --idle 50
gives 0 worker register --key worker --bond 2000
gives 0 wallet send payee 100 --from payer --yes
awaits econ epoch 3

gives 0 econ show
has out "runs until block"
has out "subsidy pool"
gives 0 econ show --json
json 'd["schema"] == "tb-econ-show-1" and set(d["markets"]) == {"storage", "compute", "energy", "ad"} and d["markets"]["compute"]["providers"] == "1"'
json 'abs(sum(int(m["share"]) for m in d["markets"].values()) - 2**32) < 4'

# What was minted went to the three that it goes to, to the unit; the transfer paid its tariff in one of the epochs.
income=0
for n in 1 2 3; do
    gives 0 econ epoch $n --json
    json 'int(d["mint"]) > 0 and int(d["mint"]) == int(d["to_producers"]) + int(d["to_subsidy"]) + int(d["to_treasury"])'
    income=$((income + $(value 'd["tariff_income"]')))
done
checks=$((checks + 1))
[ "$income" -eq 1000000000 ] || fail "a tariff of one per cent of 100 BLOCK, not $income"
gives 0 econ epoch 2
has out "epoch 2, ended at block 10"
has out "minted"
gives 3 econ epoch 1000000
gives 2 econ epoch 0
gives 2 econ epoch two

gives 0 econ provider worker
has out "compute: active"
has out "2000.000 BLOCK"
gives 0 econ provider payee
has out "never registered"
gives 0 econ provider worker --json
json 'd["markets"]["compute"]["stake"] == "2000000000000" and d["schema"] == "tb-econ-provider-1"'

# The export agrees with what the node says, number by number; a changed byte, a lost file and another form are refused by name.
gives 0 econ export --out "$WORK/export" --from 1 --to 3 --json
json 'd["from"] == "1" and d["to"] == "3" and [x["name"] for x in d["files"]] == ["epochs.csv", "markets.csv", "epochs.json"]'
gives 0 econ epoch 2 --json
checks=$((checks + 1))
/usr/bin/python3 - "$WORK" <<'P' || fail "the export is not what the node says"
import csv, hashlib, json, sys
work = sys.argv[1]
epoch = json.load(open(work + "/out"))
manifest = json.load(open(work + "/export/manifest.json"))
for entry in manifest["files"]:
    content = open(work + "/export/" + entry["name"], "rb").read()
    assert hashlib.sha256(content).hexdigest() == entry["sha256"] and str(len(content)) == entry["bytes"]
rows = list(csv.DictReader(open(work + "/export/epochs.csv")))
assert [r["epoch"] for r in rows] == ["1", "2", "3"]
assert all(str(epoch[k]) == v for k, v in rows[1].items() if k != "epoch") and len(rows[1]) > 15
awards = [r for r in csv.DictReader(open(work + "/export/markets.csv")) if r["epoch"] == "2"]
assert [r["market"] for r in awards] == ["storage", "compute", "energy", "ad"]
assert all(str(epoch["markets"][r["market"]][k]) == v for r in awards for k, v in r.items() if k not in ("epoch", "market"))
assert [int(e["number"]) for e in json.load(open(work + "/export/epochs.json"))] == [1, 2, 3]
P
gives 0 econ export --check "$WORK/export"
has out "epochs 1 to 3 of local-dev"
gives 6 econ export --out "$WORK/export"
has err "manifest.json"
gives 2 econ export
gives 2 econ export --out "$WORK/other" --from 3 --to 2
gives 9 econ export --out "$WORK/other" --to 1000000
gives 3 econ export --out "$WORK/other" --to 50000
checks=$((checks + 1))
[ ! -e "$WORK/other/manifest.json" ] || fail "a manifest of nothing"
cp -r "$WORK/export" "$WORK/bad"
sed -i '2s/^1,/2,/' "$WORK/bad/epochs.csv"
gives 8 econ export --check "$WORK/bad"
has err "epochs.csv"
rm "$WORK/bad/epochs.csv"
gives 3 econ export --check "$WORK/bad"
sed -i 's/"epochs.csv"/"..\/epochs.csv"/' "$WORK/bad/manifest.json"
gives 8 econ export --check "$WORK/bad"
gives 3 econ export --check "$WORK/nowhere"
