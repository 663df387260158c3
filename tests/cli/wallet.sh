# SPDX-License-Identifier: Apache-2.0
# Keys: files, passphrases, no prompt without a terminal.
. "$(dirname "$0")/lib.sh"

gives 0 wallet list --json
json 'd["keys"] == []'
gives 2 wallet new alice
has err "--passphrase-fd is missing"
printf 'a pass phrase\n' >"$WORK/pass"
printf 'another\n' >"$WORK/wrong"
: >"$WORK/empty"
gives 4 wallet new alice --passphrase-fd 3 3<"$WORK/empty"
gives 0 wallet new alice --passphrase-fd 3 --json 3<"$WORK/pass"
json 'd["name"] == "alice" and d["address"].startswith("tb1a") and d["dev"] is False'
[ "$(stat -c %a "$TB_HOME/keys/alice.key")" = 600 ] || fail "mode of the key file"
[ "$(stat -c %a "$TB_HOME")" = 700 ] || fail "mode of the data directory"
gives 6 wallet new alice --passphrase-fd 3 3<"$WORK/pass"
gives 0 wallet unlock-check alice --passphrase-fd 3 3<"$WORK/pass"
gives 4 wallet unlock-check alice --passphrase-fd 3 3<"$WORK/wrong"
gives 4 wallet unlock-check alice --passphrase-fd 3 --json 3<"$WORK/wrong"
json 'd["error"]["name"] == "PASSPHRASE" and d["error"]["subject"] == "alice"'
gives 2 wallet unlock-check alice
gives 3 wallet show bob
gives 2 wallet new Bob --dev
gives 2 wallet new ../bob --dev
gives 0 wallet new bob --dev
gives 0 wallet unlock-check bob
gives 0 wallet export-address bob
address=$(cat "$WORK/out")
gives 0 wallet show bob --json
json "d['address'] == '$address' and d['dev'] is True"

# Who may write to the data directory, to the keys or to node.conf may put in his own: refused.
chmod 777 "$TB_HOME"
gives 4 wallet list --json
json 'd["error"]["name"] == "PERMISSION" and d["error"]["what"].startswith("data directory: others") and d["error"]["at"] == "511"'
gives 1 doctor --json
json 'any(c["check"] == "data directory" and c["status"] == "fail" and "chmod" in c["fix"] for c in d["checks"])'
chmod 700 "$TB_HOME"
chmod 720 "$TB_HOME/keys"
gives 4 wallet unlock-check bob
has err "keys: others may write"
chmod 700 "$TB_HOME/keys"
: >"$TB_HOME/node.conf"
chmod 622 "$TB_HOME/node.conf"
gives 4 config show
has err "node.conf: others may write"
chmod 600 "$TB_HOME/node.conf"
gives 0 config show
rm "$TB_HOME/node.conf"

# Every byte of a key file matters.
cp "$TB_HOME/keys/bob.key" "$WORK/bob.key"
size=$(stat -c %s "$WORK/bob.key")
for at in 0 20 60 $((size / 2)) $((size - 1)); do
    cp "$WORK/bob.key" "$TB_HOME/keys/eve.key"
    byte=$(od -An -tu1 -j "$at" -N 1 "$WORK/bob.key")
    printf "\\$(printf '%03o' $((byte ^ 255)))" | dd of="$TB_HOME/keys/eve.key" bs=1 seek="$at" conv=notrunc 2>/dev/null
    "$TB" wallet unlock-check eve --passphrase-fd 3 3<"$WORK/empty" >"$WORK/out" 2>"$WORK/err"
    got=$?
    checks=$((checks + 1))
    [ $got -eq 4 ] || [ $got -eq 8 ] || [ $got -eq 9 ] || fail "byte $at of a key file: exit code $got"
done
rm "$TB_HOME/keys/eve.key"
printf 'junk' >"$TB_HOME/keys/carol.key"
gives 0 wallet list --json
json 'd["damaged"] == 1 and [k["name"] for k in d["keys"]] == ["alice", "bob"]'
gives 5 wallet balance
gives 5 wallet send "$address" 1 --from bob --yes
gives 2 wallet send "$address" 1
gives 2 wallet send "$address" 1.0000000001 --from bob
gives 2 wallet send "$address" -1 --from bob
