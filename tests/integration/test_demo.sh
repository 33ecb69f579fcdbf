#!/usr/bin/env bash
# hack/demo as README shows it: its verdicts, and that it leaves nothing behind.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/integration/rig.sh
. tests/integration/rig.sh

mkdir "$BW_TMP/tmp"
demo() { TMPDIR=$BW_TMP/tmp hack/demo >"$BW_TMP/demo.log" 2>&1 || { tail -n 20 "$BW_TMP/demo.log" && return 1; }; }
check "hack/demo runs" demo
while read -r name verdict; do
    check "$name is $verdict" grep -E "^$name +.* $verdict +[0-9.]+ +[0-9]+$" "$BW_TMP/demo.log"
done <<'T'
shop-old refused
shop-new admitted
shop-again admitted
report warned
nightly admitted
nightly-arm refused
migrate refused
debug refused
settings admitted
edge admitted
legacy refused
typo refused
T
check "an image seen before costs no request" grep -E '^shop-again +.* 0$' "$BW_TMP/demo.log"
check "a bundle that is edited costs no request" grep -E 'until shop/report:2.0 is refused .* 0 registry requests' "$BW_TMP/demo.log"
check "its folder is gone" test -z "$(ls -A "$BW_TMP/tmp")"
no_process() { ! grep -lsaFf <(printf '%s' "$BW_TMP/tmp") /proc/[0-9]*/cmdline; }
check "its processes are gone" no_process
check "its mounts are gone" bash -c "! grep '$BW_TMP/tmp' /proc/mounts"

interrupted() { # as Ctrl-C in the middle of --keep
    local pid
    TMPDIR=$BW_TMP/tmp setsid bash -c 'trap - INT; exec hack/demo --keep' >"$BW_TMP/keep.log" 2>&1 </dev/null &
    pid=$!
    wait_for 120 grep -q 'Ctrl-C ends it' "$BW_TMP/keep.log" || return 1
    kill -TERM "$pid"
    wait "$pid" || true
    ls -A "$BW_TMP/tmp"
    [ -z "$(ls -A "$BW_TMP/tmp")" ]
}
check "--keep ends without a trace when it is told to" interrupted
done_testing
