#!/usr/bin/env bash
# What a good registry never does: each fault has a clear error, in time, and harms nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/integration/rig.sh
. tests/integration/rig.sh

layout=$(tests/images/make)
fault_start "$BW_TMP/faults" "$layout"
host=$(registry_host "$BW_TMP/faults")
cat >"$BW_TMP/config.yaml" <<Y
registry:
  allowAddresses: [127.0.0.1/32]
  hosts: {"$host": {plainHTTP: true}}
Y
judge() { # FAULT
    bw evaluate --bundle docs/examples/demo-bundle.json --config "$BW_TMP/config.yaml" --platform linux/amd64 \
        "$host/$1/edge:3.18"
}
while IFS=';' read -r fault status pattern what; do
    check "$what" says "$status" "$pattern" judge "$fault"
done <<'T'
none;0;=> go;the scripted registry can also be good
absent;2;does not exist;404 for a manifest
lost;2;does not exist;404 for a layer
forbidden;2;refused;403 for everything
unauthorized;2;[Cc]redentials;401 with Basic, without credentials
grudging;2;denied|refused|[Cc]redentials;a token server whose tokens are never enough
riddle;2;token server;a challenge that nobody can read
broken;2;500;500 for everything, after retries
flaky-2;0;=> go;503 twice, then right
limited-1;0;=> go;429 with Retry-After, then right
limited;2;429|rate limit;429 for ever
late-2;0;=> go;a manifest that comes late
cut;2;cut after;a layer cut in the middle
cut-1;0;=> go;a layer cut once, then right
reset;2;reset|closed|end;a connection reset in the middle of a layer
flip;2;digest;another byte in a layer
flip-manifest;2;digest;another byte in the manifest
flip-config;2;digest;another byte in the config
header;2;digest;a Docker-Content-Digest that does not hold
short;2;size|bytes|end;a layer shorter than the manifest says
long;2;size|bytes|longer;a layer longer than the manifest says
endless;2;size|bytes|longer;a layer that never ends
endless-manifest;2;bytes|large;a manifest that never ends
huge;2;bytes|large;a manifest of 10^12 bytes
page;2;manifest|JSON;a web page for a manifest
signed;2;schema;a manifest of schema 1
redirect;0;=> go;a redirect to other storage
loop;2;redirect;redirects that go round
guarded;2;127.0.0.2;a redirect to an address that is not allowed
file;2;redirect|URL|https;a redirect to a file
nonsense;2;HTTP|protocol;an answer that is not HTTP
silence;2;empty|closed|answer;a connection closed without an answer
T
check "redirected requests carry no credentials, and no forbidden address was touched" bash -c \
    "! grep -E '^elsewhere (127\.0\.0\.2|.* authorized)' '$BW_TMP/faults/access.log' && grep -q '^elsewhere 127.0.0.1' '$BW_TMP/faults/access.log'"

mkdir -p "$BW_TMP/serve/bundles"
cp docs/examples/demo-bundle.json "$BW_TMP/serve/bundles/demo.json"
# an admission waits for a hanging registry no longer than the API server's deadline lets it
serve_start serve <<Y
registry:
  allowAddresses: [127.0.0.1/32]
  hosts: {"$host": {plainHTTP: true}}
Y
answers_in() { # SECONDS CODE IMAGE [changes]
    local image=$3
    review serve --timeout "$1" pod-create "image=$host/$image" "${@:4}" >"$BW_TMP/answer.json"
    cat "$BW_TMP/answer.json"
    [ "$(json "$BW_TMP/answer.json" "not d['allowed'] and d['status']['code'] == $2 and d['seconds'] < $1")" = True ]
}
check "an unreachable registry is 503" answers_in 10 503 broken/edge:3.18
check "no such image is 403" answers_in 10 403 absent/edge:3.18
check "content that does not hold is 403" answers_in 10 403 flip/edge:3.18
check "a registry that hangs: people are asked to come again, before the deadline" answers_in 3 429 hang/edge:3.18
check "a registry that hangs: controllers are refused" answers_in 3 403 hang/edge:3.18 \
    user=system:serviceaccount:kube-system:replicaset-controller \
    group=system:serviceaccounts,system:serviceaccounts:kube-system,system:authenticated
check "a layer that stalls" answers_in 3 429 stall/edge:3.18
check "a layer that dribbles" answers_in 3 429 dribble/debian:12
check "meanwhile other images are admitted" review serve pod-create "image=$host/none/edge:3.18"
# the whole host is left alone until the time that it named
check "a rate limit is pending" answers_in 6 429 limited/edge:3.18
check "SIGTERM ends it while transfers hang" serve_stop serve

# who may not wait is admitted, and the verdict is told when it comes
mkdir -p "$BW_TMP/lenient/bundles"
cp docs/examples/demo-bundle.json "$BW_TMP/lenient/bundles/demo.json"
serve_start lenient <<Y
registry:
  allowAddresses: [127.0.0.1/32]
  hosts: {"$host": {plainHTTP: true}}
defaultPlatforms: [linux/amd64]
onPending: allow
Y
admitted() { # IMAGE UID [changes]: unseen
    review lenient --timeout 1 pod-create "image=$host/$1" "request.uid=\"$2\"" "${@:3}" >"$BW_TMP/answer.json"
    cat "$BW_TMP/answer.json"
    [ "$(json "$BW_TMP/answer.json" "d['allowed'] and d['auditAnnotations']['reason'] == 'analysis'")" = True ]
}
late() { curl -s "$(cat "$BW_TMP/lenient/metrics")/metrics" | grep -x "breakwater_admitted_then_failed_total $1"; }
check "onPending: allow admits a good image unseen" admitted late-2/edge:3.18 good-1
check "and a bad one, in a dry run" admitted late-3/shop:1.4 dry-1 request.dryRun=true
check "and a bad one" admitted late-4/shop:1.4 late-1
check "the late denial is counted" wait_for 60 late 1
check "it is logged with the request's uid, and none of the others is" test \
    "$(grep 'policy stops what was admitted' "$BW_TMP/lenient/log" | grep -o '"requestUID":"[^"]*"')" = '"requestUID":"late-1"'
check "SIGTERM ends that, too" serve_stop lenient
check "no server complained of itself" sound
done_testing
