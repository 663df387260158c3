# SPDX-License-Identifier: Apache-2.0
# A local network: genesis, node, payments to finality, restart.
. "$(dirname "$0")/lib.sh"

gives 3 node run
gives 3 genesis new --chain-id mainnet
gives 2 genesis new --alloc buyer
gives 2 genesis new --param nothing=1
gives 0 genesis new --alloc buyer=1000,seller=5,issuer=1 --param fee.min=2000 --json
json 'd["chain_id"] == "local-dev" and len(d["genesis"]) == 64'
genesis=$(value 'd["genesis"]')
gives 6 genesis new
gives 0 genesis show --json
json "d['genesis'] == '$genesis' and d['params']['fee.min'] == '2000' and len(d['allocations']) == 3"
gives 5 node status

start_node
gives 0 node status --json
json "d['genesis'] == '$genesis' and d['engine'] == 'solo'"
"$TB" node run >"$WORK/out" 2>"$WORK/err" </dev/null
got=$?
checks=$((checks + 1))
[ $got -eq 5 ] || fail "a second node on the same directory: exit code $got"

gives 0 wallet balance seller --json
json 'd["accounts"][0]["balance_nblock"] == "5000000000"'
gives 0 wallet send seller 10 --from buyer --dry-run --json
json 'd["outcome"] == "not sent" and d["tariff_nblock"] == "100000000" and d["arrives_nblock"] == "9900000000"'
fee=$(value 'd["fee_nblock"]')
gives 2 wallet send seller 10 --from buyer
has err "--yes is missing"
gives 0 wallet send seller 10 --from buyer --yes --json
json "d['outcome'] == 'ok' and int(d['height']) > 0 and d['fee_nblock'] == '$fee'"
gives 0 wallet balance seller --json
json 'd["accounts"][0]["balance_nblock"] == "14900000000"'
gives 0 wallet balance buyer --json
json "int(d['accounts'][0]['balance_nblock']) == 990000000000 - $fee"
gives 6 wallet send seller 100000 --from buyer --yes --json
json 'd["outcome"] == "rejected" and d["error"]["name"] == "FUNDS"'
gives 0 wallet send seller 1 --from buyer --yes --no-wait
gives 2 wallet send bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4 1 --from buyer --yes
printf 'p\n' >"$WORK/pass"

# Loopback TCP: the token file opens it, another token does not.
url=$(grep -o 'http://127.0.0.1:[0-9]*' "$WORK/node.out")
gives 0 node status --node "$url"
[ "$(stat -c %a "$TB_HOME/token.operate")" = 600 ] || fail "mode of the token file"
mkdir "$WORK/other"
TB_HOME=$WORK/other gives 3 node status --node "$url"
sed 's/tbt1_.\(.*\)/tbt1_0\1/; s/tbt1_0\(.*\)/tbt1_1\1/' "$TB_HOME/token.operate" >"$WORK/token"
chmod 600 "$WORK/token"
cmp -s "$WORK/token" "$TB_HOME/token.operate" || gives 4 node status --node "$url" --token-file "$WORK/token"
chmod 644 "$WORK/token"
gives 4 node status --node "$url" --token-file "$WORK/token"
gives 4 node status --node "http://192.0.2.1:${url##*:}"
has err "a token goes to this machine only"

# Killed without a word, the node comes back with everything that it acknowledged.
kill -KILL "$NODE"
wait "$NODE" 2>/dev/null
NODE=
gives 5 node status
start_node
gives 0 wallet balance seller --json
json 'int(d["accounts"][0]["balance_nblock"]) >= 14900000000'
stop_node

# No block in time: the outcome is unknown, and that is what the exit code says.
start_node --interval 3600000
"$TB" wallet send seller 1 --from buyer --yes --wait 5 >"$WORK/out" 2>"$WORK/err" </dev/null # the first block may be made at once
gives 7 wallet send seller 1 --from buyer --yes --wait 1 --json
json 'd["outcome"] == "unknown"'
stop_node

# A damaged genesis is none, a whole one of another network is refused.
cp "$TB_HOME/genesis.cbor" "$WORK/genesis.cbor"
for at in 0 1 20 40 60 100; do
    cp "$WORK/genesis.cbor" "$TB_HOME/genesis.cbor"
    printf '\377' | dd of="$TB_HOME/genesis.cbor" bs=1 seek=$at conv=notrunc 2>/dev/null
    gives 8 node run
done
head -c 100 "$WORK/genesis.cbor" >"$TB_HOME/genesis.cbor"
gives 8 node run
TB_HOME=$WORK/elsewhere gives 0 genesis new --chain-id elsewhere-dev
cp "$WORK/elsewhere/genesis.cbor" "$TB_HOME/genesis.cbor"
gives 6 node run
has err 'of another genesis'
gives 8 genesis show "$WORK/node.out"
cp "$WORK/genesis.cbor" "$TB_HOME/genesis.cbor"

# A development key signs for -dev chains only; an ordinary one needs its passphrase each time.
gives 0 wallet new carol --passphrase-fd 3 3<"$WORK/pass"
start_node
gives 2 wallet send seller 1 --from carol --yes
gives 6 wallet send seller 1 --from carol --yes --passphrase-fd 3 3<"$WORK/pass"
stop_node

# An issuer vouches for an account: it pays no tariff any more, and the word can be taken back.
start_node
gives 0 kyc attest buyer --jurisdiction 756 --level 2
gives 0 wallet balance buyer --json
json 'd["accounts"][0]["kyc"] is True'
gives 0 wallet send seller 10 --from buyer --dry-run --json
json 'd["tariff_nblock"] == "0"'
gives 0 kyc revoke buyer
gives 0 wallet balance buyer --json
json 'd["accounts"][0]["kyc"] is False'
gives 6 kyc attest buyer --key seller
gives 2 kyc attest buyer --level 4
stop_node
