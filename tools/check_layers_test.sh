#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check_layers_test.sh CHECKER: a small clean tree passes, and each planted violation makes the check fail with its name.
set -eu
checker=$1
top=$(mktemp -d)
trap 'rm -rf "$top"' EXIT

fresh() {
    rm -rf "$top/t"
    mkdir -p "$top/t/src/base/port" "$top/t/src/crypto" "$top/t/src/proof" "$top/t/src/chain" "$top/t/src/apps"
    cat > "$top/t/layers.txt" <<'END'
# folder prefix allowed
base base_ -
crypto cr_ base
proof pf_ base crypto
chain chain_ base crypto proof/referee.h
apps tb_ base crypto proof chain

pure: chain crypto/sha256.c
banned: time.h math.h stdio.h pthread.h base/port/
END
    for f in base/err.h base/port/file.h crypto/sha256.h crypto/sha256.c crypto/keystore_int.h crypto/keystore.c proof/referee.h \
             proof/sumcheck.h chain/tx.h chain/tx.c chain/tx_test.c apps/main.c; do
        echo '/* SPDX-License-Identifier: Apache-2.0 */' > "$top/t/src/$f"
    done
    echo '#include "base/err.h"' >> "$top/t/src/crypto/sha256.h"
    echo '#include "crypto/keystore_int.h"' >> "$top/t/src/crypto/keystore.c"
    printf '#include "chain/tx.h"\n#include "proof/referee.h"\n' >> "$top/t/src/chain/tx.c"
    printf '#include "chain/tx.h"\n#include <stdio.h>\n' >> "$top/t/src/chain/tx_test.c"
    printf '#include "chain/tx.h"\n#include <time.h>\n' >> "$top/t/src/apps/main.c"
}

# planted FILE LINE TEXT: after LINE is appended to FILE the check must exit with 1 and name TEXT.
planted() {
    fresh
    printf '%s\n' "$2" >> "$top/t/$1"
    expect "$3"
}

expect() {
    status=0
    "$checker" "$top/t" > "$top/out" || status=$?
    if [ "$status" != 1 ] || ! grep -q -- "$1" "$top/out"; then
        echo "not caught (exit $status): $1"
        cat "$top/out"
        exit 1
    fi
}

fresh
"$checker" "$top/t"

planted src/base/err.h '#include "crypto/sha256.h"' 'base may not include'
planted src/chain/tx.c '#include "proof/sumcheck.h"' 'chain may not include'
planted src/chain/tx.c '#include "crypto/keystore_int.h"' 'is internal to crypto'
planted src/chain/tx.c '#include "../crypto/sha256.h"' 'relative path'
planted src/chain/tx.c '#include <time.h>' 'banned'
planted src/chain/tx.h '#  include <math.h>' 'banned'
planted src/chain/tx.c '#include "base/port/file.h"' 'banned'
planted src/crypto/sha256.c '#include <pthread.h>' 'banned'
planted src/apps/main.c '#include "nowhere/x.h"' 'neither in a folder'
planted src/apps/main.c "#include <assert""."h\> 'use CHECK'
planted src/apps/main.c "/* TO""DO */" 'finish later'
planted src/apps/main.c "/* FIX""ME */" 'finish later'
fresh; sed -i 's/^base base_ -/base base_ chain/' "$top/t/layers.txt"; expect 'a cycle'
fresh; echo '#include "crypto/sha256.h"' >> "$top/t/src/crypto/keystore_int.h"
echo '#include "crypto/keystore_int.h"' >> "$top/t/src/crypto/sha256.h"; expect 'include cycle'
fresh; echo 'int x;' > "$top/t/src/apps/main.c"; expect 'SPDX'
fresh; mkdir "$top/t/tools"; echo 'print(1)' > "$top/t/tools/x.py"; expect 'SPDX'
fresh; mkdir "$top/t/src/extra"; cp "$top/t/src/base/err.h" "$top/t/src/extra/x.h"; expect 'not in layers.txt'
fresh; yes 'int x;' | head -1000 >> "$top/t/src/apps/main.c"; expect 'two things'
echo 'every planted violation was caught'
