# SPDX-License-Identifier: Apache-2.0
# Training on this machine alone: bounds, checkpoints and their directory.
. "$(dirname "$0")/lib.sh"

for i in $(seq 300); do
    echo "the quick brown fox number $i jumps over the lazy dog and sleeps for $((i * 7 % 13)) hours."
done >"$WORK/text"
small() {
    gives "$1" train --data "$WORK/text" --width 8 --layers 1 --heads 1 --context 8 --batch 2 --warm 2 --validate 2 --sample 0 --threads 1 --json "${@:2}"
}

# What is allocated follows from numbers that were bounded before they were multiplied.
small 2 --steps 18446744073709551615
json 'd["error"]["what"] == "threads or steps"'
small 2 --context 2 --batch 9223372036854775808
json 'd["error"]["what"] == "context, batch or split"'
small 2 --batch 8193
small 2 --threads 4294967297
small 0 --steps 0
json 'd["steps"] == 0'
small 0 --steps 300 --every 100 --dir "$WORK/ck"
whole=$(value 'd["state_id"]')
[ "$(stat -c %a "$WORK/ck")" = 700 ] || fail "mode of the checkpoint directory"
small 2 --steps 5 --resume
json 'd["error"]["what"].startswith("--dir is missing")'

# A run that goes on takes its steps from the checkpoint, not from --steps; the state is that of a run that was never stopped.
"$TB" train --data "$WORK/text" --width 8 --layers 1 --heads 1 --context 8 --batch 2 --warm 2 --validate 2 --sample 0 --threads 1 \
    --steps 300 --every 1 --dir "$WORK/cut" --json >"$WORK/out" 2>"$WORK/err" &
cut=$!
for _ in $(seq 100); do
    [ -e "$WORK/cut/PREVIOUS" ] && break
    sleep 0.01
done
kill -STOP $cut # between two steps or in one, it does not matter
small 5 --steps 5 --dir "$WORK/cut"
json "d['error']['name'] == 'BUSY' and d['error']['subject'] == '$WORK/cut'"
kill -KILL $cut
wait $cut 2>/dev/null
small 0 --steps 5 --resume --every 100 --dir "$WORK/cut"
json "d['steps'] == 300 and d['state_id'] == '$whole'"

# The folder is looked at first, and is what an error is about.
: >"$WORK/file"
small 1 --steps 5 --dir "$WORK/file"
json "d['error']['subject'] == '$WORK/file'"
small 3 --steps 5 --dir "$WORK/new/folder" --resume
json "d['error']['subject'] == '$WORK/new/folder'"
small 3 --steps 5 --data "$WORK/missing"
json "d['error']['subject'] == '$WORK/missing'"
