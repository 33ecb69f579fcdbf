#!/usr/bin/env bash
# An API server with troubles stands between breakwater and a real one: busy, broken, cutting in mid-object, forgetting its
# history, talking nonsense. Admissions go on, each change arrives, nothing is applied twice, and nothing is lost.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/integration/cluster.sh
. tests/integration/cluster.sh

cluster_begin

k create namespace breakwater >/dev/null
k -n breakwater create serviceaccount breakwater >/dev/null
k create clusterrole breakwater --verb=get,list,watch --resource=configmaps,namespaces >/dev/null
k create clusterrolebinding breakwater --clusterrole=breakwater --serviceaccount=breakwater:breakwater >/dev/null
account_begin
mkdir -p "$BW_TMP/api"
server=$(k config view -o jsonpath='{.clusters[0].cluster.server}')

port=$(free_port 0)
proxy_start() {
    rm -f "$BW_TMP/api/port"
    tests/integration/api_faults.py --cert "$BW_TMP/cluster/api.crt" --key "$BW_TMP/cluster/api.key" --port "$port" \
        --ca "$BW_TMP/cluster/ca.crt" --target "${server##*:}" --state "$BW_TMP/api" >"$BW_TMP/api/log" 2>&1 &
    echo $! >"$BW_TMP/api/pid"
    wait_for 20 test -s "$BW_TMP/api/port" || die "the proxy did not start: $(tail -n 1 "$BW_TMP/api/log")"
}
on_exit stop_pid_file "$BW_TMP/api/pid"
mode() { # a mode of tests/integration/api_faults.py, for what is asked from now on
    printf '%s' "$1" >"$BW_TMP/api/mode.new"
    mv "$BW_TMP/api/mode.new" "$BW_TMP/api/mode"
}
trouble() { # MODE: every connection is cut, and what is asked then is answered like that
    stop_pid_file "$BW_TMP/api/pid"
    mode "$1"
    : >"$BW_TMP/api/access.log"
    proxy_start
}
met() { # MODE TIMES: ConfigMaps were asked for so often in that mode
    [ "$(grep -cE "^$1 GET .*/configmaps\?" "$BW_TMP/api/access.log")" -ge "$2" ]
}

# a bundle of one word, which its findings say
edit() { # WORD
    cat <<Y | k -n breakwater apply -f - >/dev/null
apiVersion: v1
kind: ConfigMap
metadata: {name: prod, labels: {breakwater.io/bundle: active}}
data:
  prod.json: |
    {"id": "prod", "version": "1_0", "comment": "word $1", "policies": [], "whitelists": [],
     "mappings": []}
Y
}
loads() { # WORD: how often that content was taken
    local hash
    hash=$(printf '{"id": "prod", "version": "1_0", "comment": "word %s", "policies": [], "whitelists": [],\n "mappings": []}\n' "$1" | sha256sum | cut -c1-64)
    grep '"bundle loaded"' "$log" | grep -c "$hash" || true
}
taken() { [ "$(loads "$1")" = 1 ]; }
arrives() { # WORD: within the longest pause that breakwater makes, and is taken once
    wait_for 90 taken "$1" || {
        echo "$1 was taken $(loads "$1") times"
        tail -n 5 "$log"
        return 1
    }
}
admissions() { # all the while, decided by the bundle in force
    says '0|1' '"bundle": ?"prod@' review serve pod-create image=registry.invalid/app:1
}
mode none
proxy_start
edit zero
export KUBERNETES_SERVICE_HOST=127.0.0.1 KUBERNETES_SERVICE_PORT=$port
serve_start serve <<Y
kubernetes: {pullSecrets: never, nodes: never, events: never, serviceAccountDir: $BW_TMP/account}
Y
log=$BW_TMP/serve/log
twice() { grep '"bundle loaded"' "$log" | jq -r .sha256 | sort | uniq -d | grep .; }
not_twice() { ! twice; }
afresh() { # pauses grow with the troubles that one process has had
    check "nothing was applied twice" not_twice
    serve_stop serve
    serve_again serve
}

check "the bundle arrives" arrives zero
check "and decides" admissions

trouble cut
edit one
check "the event of a change is cut in its middle, again and again" wait_for 60 met cut 2
check "admissions go on" admissions
mode none
check "the change arrives" arrives one

afresh
trouble busy
edit two
check "too many requests, says the API server" wait_for 60 met busy 2
check "admissions go on" admissions
mode none
check "the change arrives" arrives two

afresh
trouble broken
edit three
check "its own faults" wait_for 60 met broken 2
check "admissions go on" admissions
mode page
check "a gateway in its place" wait_for 60 met page 1
mode none
check "the change arrives" arrives three

afresh
k -n breakwater create configmap spare --from-literal=spare.json='{"id":"spare","version":"1_0","policies":[],"whitelists":[],"mappings":[]}' >/dev/null
k -n breakwater label configmap spare breakwater.io/bundle=true >/dev/null
check "a second bundle" wait_for 60 grep -q '"bundle loaded".*"spare"' "$log"
trouble refused
k -n breakwater delete configmap spare >/dev/null
edit four
check "the history is gone, says the opening of a watch" wait_for 60 met refused 2
check "the change arrives by a list" arrives four
check "what was deleted is gone" wait_for 60 grep -q '"bundle is gone".*spare' "$log"

afresh
trouble expired
edit five
check "the history is gone, says an event" wait_for 60 met expired 2
check "the change arrives by a list" arrives five

afresh
trouble nonsense
edit six
check "an event is no JSON" wait_for 60 met nonsense 2
check "the change arrives by a list" arrives six

afresh
trouble crumbs
check "a watch comes byte by byte" wait_for 60 met crumbs 1
edit seven
check "the change arrives" arrives seven
check "admissions go on" admissions
check "nothing was applied twice" not_twice

readable() { # as often as it changes, not as often as it is tried
    [ "$(grep -c 'is not followed for now' "$log")" -lt 10 ] && ! grep -F "$(cat "$BW_TMP/account/token")" "$log"
}
check "the log stays readable, and has no token" readable
serve_stop serve
check "nothing is wrong inside" sound
done_testing
