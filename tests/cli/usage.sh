# SPDX-License-Identifier: Apache-2.0
# Help, nearest match, explain, completion, settings, doctor; --json has one document, errors included.
. "$(dirname "$0")/lib.sh"

gives 2
gives 0 help
has out "tb wallet new NAME"
gives 0 wallet send --help
has out "--dry-run"
gives 0 help --json
json 'd["schema"] == "tb-help-1" and len({(c["noun"], c["verb"]) for c in d["commands"]}) == len(d["commands"]) > 30'
gives 0 --help --json
json 'any(c["noun"] == "wallet" and c["verb"] == "new" for c in d["commands"])'
gives 0 wallet send --help --json
json '[c["verb"] for c in d["commands"]] == ["send"] and any(o["name"] == "dry-run" and o["type"] == "flag" for o in d["commands"][0]["options"])'
checks=$((checks + 1))
"$TB" help >/dev/full 2>"$WORK/err" && fail "help on a full disk"
gives 2 walet list
has err "did you mean: tb wallet list"
gives 2 wallet list --nothing
gives 2 wallet show
gives 2 wallet show a b
gives 2 train --steps many
gives 2 train --steps many --width wide --json # one document, of the first mistake
json 'd["error"]["what"] == "steps"'
gives 2 train --steps many --nothing --json
json 'd["error"]["what"] == "steps"'
gives 2 train --nothing a b c d e f g h i j --json
json 'd["error"]["subject"] == "--nothing"'
gives 2 wallet nothing --json
json 'd["schema"] == "tb-error-1" and d["error"]["name"] == "USAGE" and d["error"]["retryable"] is False'

gives 0 explain FUNDS
has out "exit code 6"
gives 0 explain 53 --json
json 'd["name"] == "HASH" and d["exit_code"] == 8'
gives 3 explain NOTHING
gives 0 explain converge.enter
has out "in force    unknown: no node answers"
has out "rule        converge.leave <= converge.enter"
gives 0 explain tariffmaxbps --json
json 'd["key"] == "TariffMaxBps" and d["value"] is None and d["max"] == "200" and d["class"] == "constitutional" and d["rules"] == ["TariffMinBps <= TariffMaxBps"]'
gives 0 explain supply.cap
has out "nobody"
gives 3 explain fee.mim
has err "did you mean: tb explain fee.min"

gives 0 completion words -- wallet s
[ "$(cat "$WORK/out")" = "$(printf 'show\nsend')" ] || fail "completion of wallet s"
gives 0 completion words -- wallet send --dry
has out "--dry-run"
gives 0 completion bash
bash -n "$WORK/out" || fail "the completion script is not bash"
gives 0 completion words --json -- no
json 'd["words"] == ["node"]'

gives 0 config show --json
json 'all(s["origin"] == "default" for s in d["settings"]) and len(d["settings"]) > 10'
mkdir -p "$TB_HOME"
printf '[engine]\ninterval_ms = 77\n' >"$TB_HOME/node.conf"
gives 0 config explain engine.interval_ms --json
json 'd["value"] == "77" and d["origin"] == "node.conf" and d["line"] == 2'
TB_ENGINE_INTERVAL_MS=78 gives 0 config explain engine.interval_ms --json
json 'd["value"] == "78" and d["origin"] == "environment"'
gives 3 config explain engine.nothing
printf '[engine]\nnothing = 1\n' >"$TB_HOME/node.conf"
gives 2 config check
gives 2 node run
rm "$TB_HOME/node.conf"
printf '[rpc]\nport = 65536\n' >"$WORK/other.conf"
gives 2 config check "$WORK/other.conf"
gives 3 config check "$WORK/missing.conf"

# What could not be written is not a success.
checks=$((checks + 1))
"$TB" config show >/dev/full 2>"$WORK/err"
[ $? -eq 1 ] || fail "a full disk behind standard output"
has err "DISK_FULL"

gives 0 doctor --json
json '{c["check"] for c in d["checks"]} >= {"kernels", "signatures", "data directory", "disk", "node"} and d["fail"] == 0'
json 'next(c for c in d["checks"] if c["check"] == "node")["fix"] != ""'
printf 'x' >"$TB_HOME/node.conf"
gives 1 doctor
has out "FAIL"
rm "$TB_HOME/node.conf"

gives 3 receipt verify "$WORK/missing" --trust "$(printf '0%.0s' $(seq 64)):$(printf '0%.0s' $(seq 64))"
gives 2 receipt verify "$WORK/missing"
gives 2 receipt verify "$WORK/missing" --trust 00:11
gives 3 dispute replay "$WORK/missing"
mkfifo "$WORK/pipe"
gives 1 dispute replay "$WORK/pipe"
gives 1 receipt verify "$WORK/pipe" --trust "$(printf '0%.0s' $(seq 64)):$(printf '0%.0s' $(seq 64))"
has err 'not a regular file'
printf 'not evidence' >"$WORK/junk"
gives 8 dispute replay "$WORK/junk"
gives 8 receipt verify "$WORK/junk" --trust "$(printf '0%.0s' $(seq 64)):$(printf '0%.0s' $(seq 64))"
