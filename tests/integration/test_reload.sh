#!/usr/bin/env bash
# What changes while breakwater serves: configuration, folders that are swapped as Kubernetes does it, two bundles of one
# id, credentials; and that a stop waits for nobody who waits for a registry.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/integration/rig.sh
. tests/integration/rig.sh

# a registry that takes connections and never says a word
/usr/bin/python3 - "$BW_TMP/silent" <<'PY' &
import socket, sys, time
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(16)
with open(sys.argv[1] + ".new", "w") as out:
    out.write("127.0.0.1:%d" % listener.getsockname()[1])
import os
os.rename(sys.argv[1] + ".new", sys.argv[1])
held = []
while True:
    held.append(listener.accept())
PY
silent_pid=$!
on_exit kill "$silent_pid"
wait_for 10 test -s "$BW_TMP/silent"
silent=$(cat "$BW_TMP/silent")

dir=$BW_TMP/reload
settings() { # the rest of config.yaml
    printf 'registry:\n  retries: 1\n  allowAddresses: [127.0.0.0/8]\n  hosts: {"%s": {plainHTTP: true}}\n' "$silent"
    printf '  credentialsFile: %s/credentials.json\n' "$dir"
    printf 'negativeTTL: 1s\n'
}
# the bundles' folder as a ConfigMap volume has it: names lead through ..data, which is replaced
volume() { # N: makes ..vN what ..data leads to
    ln -s "..v$1" "$dir/bundles/..data.new"
    mv -T "$dir/bundles/..data.new" "$dir/bundles/..data"
}
bundle() { # FILE ID COMMENT
    mkdir -p "$(dirname "$1")"
    printf '{"id":"%s","version":"1_0","comment":"%s","policies":[],"whitelists":[],"mappings":[]}' "$2" "$3" >"$1"
}
bundle "$dir/bundles/..v1/demo.json" demo one
bundle "$dir/bundles/..v2/demo.json" demo two
volume 1
ln -s ..data/demo.json "$dir/bundles/demo.json"
echo '{"auths": {}}' >"$dir/credentials.json"
settings | serve_start reload
pid=$(cat "$dir/pid") metrics=$(cat "$dir/metrics")

logged() { wait_for 5 grep -qE "$1" "$dir/log" || { tail -n 5 "$dir/log" && return 1; }; }
metric() { wait_for 5 bash -c "curl -sf '$metrics/metrics' | grep -qxF '$1'" || { curl -s "$metrics/metrics" && return 1; }; }

# ---- bundles ----
volume 2
check "a swapped volume is in force at once" logged "\"bundle loaded\".*$(sha256sum <"$dir/bundles/..v2/demo.json" | cut -c1-64)"
bundle "$dir/bundles/later.json" demo three
check "the second bundle of an id is refused by its file's name" logged '"bundle refused: its id is taken".*later.json.*demo.json'
check "and counted" metric 'breakwater_bundle_valid{bundle="demo",origin="file later.json"} 0'
rm "$dir/bundles/later.json"
check "a file that is taken away is noticed" logged '"bundle is gone".*later.json'

# ---- configuration ----
denied_with() { review reload pod-create image=registry.invalid/app:1 | tee /dev/stderr | grep -qF "$1"; }
edit() { # sed script on config.yaml, replaced in one step
    sed "$1" "$dir/config.yaml" >"$dir/config.new"
    mv "$dir/config.new" "$dir/config.yaml"
}
edit '$a messageHint: "ask the platform team"'
check "an edited configuration is in force" wait_for 5 denied_with 'ask the platform team'
edit 's/platform team/wrong team/; $a onPendig: allow'
check "one with a fault is refused with line and suggestion" logged '"configuration problem".*"line":.*onPendig.*"suggestion":"onPending"'
check "as a whole" denied_with 'ask the platform team'
check "and counted" metric 'breakwater_config_last_reload_successful 0'
edit 's/^onPendig: allow$/analysis: {queue: 7}/'
check "mended, it is in force" wait_for 5 denied_with 'ask the wrong team'
check "and counted again" metric 'breakwater_config_last_reload_successful 1'
check "what cannot change while serving is named" logged '"this setting changes with the next start","setting":"analysis.queue"'

# ---- selectors ----
glass() { # EXPRESSION: pods of that image break the glass
    printf 'policySelectors:\n- {selector: {resourceType: image, selectorValueRegex: "%s"}, mode: breakglass}\n' "$1" >"$dir/selectors"
    { sed '/^policySelectors:/,+1d' "$dir/config.yaml" && cat "$dir/selectors"; } >"$dir/config.new"
    mv "$dir/config.new" "$dir/config.yaml"
}
admitted() { review reload pod-create image=registry.invalid/app:1 | tee /dev/stderr | grep -qF '"allowed": true'; }
glass '^registry.invalid/'
check "an added selector is in force" wait_for 5 admitted
glass '(registry'
check "one whose expression does not compile is refused" logged '"configuration problem".*policySelectors/0/selector/selectorValueRegex'
check "and the one before stays" admitted
glass '^registry.other/'
check "another is in force" wait_for 5 denied_with 'ask the wrong team'

# ---- credentials ----
printf '{"auths": {"%s": {"username": "u", "password": "rather secret"}}}' "$silent" >"$dir/credentials.json"
check "new credentials are taken over" logged '"registry credentials loaded"'
echo '{"auths": ' >"$dir/credentials.json"
check "faulty ones are refused" logged '"registry credentials refused'
check "and no password is ever logged" bash -c "! grep -q 'rather secret' '$dir/log'"

# ---- signals ----
kill -HUP "$pid"
check "SIGHUP ends nothing" bash -c "sleep 0.5; kill -0 $pid"
slow() { review reload --timeout 2 pod-create image="$silent/app:1"; }
slow >"$BW_TMP/slow" 2>&1 || true
check "a registry that says nothing: pending, in time" grep -q '"allowed": false' "$BW_TMP/slow"
began=$SECONDS
check "SIGTERM ends it though that registry is still waited for" \
    bash -c "kill $pid; for i in {1..80}; do kill -0 $pid 2>/dev/null || exit 0; sleep 0.1; done; exit 1"
check "soon" test $((SECONDS - began)) -le 5
check "and says what it gave up" grep -qE '"stopped".*"abandoned_analyses":[1-9]' "$dir/log"

done_testing
