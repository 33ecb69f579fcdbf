#!/usr/bin/env bash
# What a developer goes through with kubectl: a Deployment whose images are denied, at once and in its controllers; an image
# that nobody has seen and that takes its time; Deployments that wait for images, and one beside them that need not.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/integration/cluster.sh
. tests/integration/cluster.sh

filled_registry plain
fault_start "$BW_TMP/faults" "$layout"
faults=$(registry_host "$BW_TMP/faults")

cluster_begin

# breakwater's own ServiceAccount, which may write Events
k create namespace breakwater >/dev/null
k -n breakwater create serviceaccount breakwater >/dev/null
k create clusterrole breakwater --verb=create,patch --resource=events.events.k8s.io >/dev/null
k create clusterrolebinding breakwater --clusterrole=breakwater --serviceaccount=breakwater:breakwater >/dev/null
account_begin

webhook_at 127.96.0.24
mkdir -p "$BW_TMP/serve/bundles"
cp docs/examples/demo-bundle.json "$BW_TMP/serve/bundles/demo.json"
in_pod serve_start serve --listen "$webhook" <<Y
kubernetes: {pullSecrets: never, nodes: never, events: always, serviceAccountDir: $BW_TMP/account}
webhook: {timeoutSeconds: 3}
messageHint: "questions: #platform"
resourceMode: all
registry:
  allowAddresses: [127.0.0.0/8]
  hosts: {"$host": {plainHTTP: true}, "$faults": {plainHTTP: true}}
defaultPlatforms: [linux/amd64]
Y
tests/cluster/register "$webhook" "$BW_TMP/certs/ca.crt" 3 >"$BW_TMP/register.log" 2>&1

setting() { # KEY VALUE, replaced in one step; in force when it is logged
    local before
    before=$(lines '"configuration loaded"' "$BW_TMP/serve/log")
    sed "s/^$1: .*/$1: $2/" "$BW_TMP/serve/config.yaml" >"$BW_TMP/serve/config.new"
    mv "$BW_TMP/serve/config.new" "$BW_TMP/serve/config.yaml"
    wait_for 20 more_lines '"configuration loaded"' "$BW_TMP/serve/log" "$before"
}
lines() { grep -cE -- "$1" "$2" || true; }
more_lines() { # PATTERN FILE THAN
    [ "$(lines "$1" "$2")" -gt "$3" ]
}
deployment() { # NAME IMAGE [REPLICAS]
    cat <<Y
apiVersion: apps/v1
kind: Deployment
metadata: {name: $1, namespace: shop, labels: {app: $1}}
spec:
  replicas: ${3:-2}
  progressDeadlineSeconds: 2
  selector: {matchLabels: {app: $1}}
  template:
    metadata: {labels: {app: $1}}
    spec: {containers: [{name: main, image: "$2"}]}
Y
}
apply() { deployment "$@" | k apply -f - 2>&1; }
pods_of() { # NAME HOW-MANY
    [ "$(k get pods -l "app=$1" -o name | wc -l)" = "$2" ]
}
described() { # KIND LABEL PATTERN: within the time of a slow machine
    wait_for 30 says 0 "$3" k describe "$1" -l "app=$2" || says 0 "$3" k describe "$1" -l "app=$2"
}
strict() { # setuid files are a matter of STOP from now on
    sed '/"id": "setuid"/,/}/s/"WARN"/"STOP"/' docs/examples/demo-bundle.json >"$BW_TMP/serve/bundles/.new"
    mv "$BW_TMP/serve/bundles/.new" "$BW_TMP/serve/bundles/demo.json"
    wait_for 20 says 1 suid_or_guid_set k run asked --image="$host/shop/report:2.0" --dry-run=server
}

# ---- denied ----
check "a Deployment of a bad image is refused when it is applied" says 1 'Error from server \(Forbidden\)' apply web "$host/shop/web:1.4"
check "with place, image, finding, rule" says 1 \
    'spec.template.spec.containers\[0\].image .*shop/web:1.4 \[[0-9a-f]{12}\]: dockerfile:effective_user STOP .*rule no-root' apply web "$host/shop/web:1.4"
check "and whom to ask" says 1 'questions: #platform' apply web "$host/shop/web:1.4"
check "nothing is left of it" says 1 NotFound k get deployment web

check "a Deployment that is warned of" says 0 'Warning: breakwater: .*suid_or_guid_set' apply report "$host/shop/report:2.0"
check "runs" wait_for 30 pods_of report 2
strict
check "policy became stricter: a restart is asked for" says 0 restarted k rollout restart deployment report
check "rollout status does not say done" says 1 'Waiting for deployment' k rollout status deployment report --timeout=3s
check "describe deployment: the new ReplicaSet could not be made, and why" described deployment report \
    'ReplicaSetCreateError .*admission webhook "pods.breakwater.io" denied the request: '
check "with image, finding and rule" described deployment report 'shop/report:2.0 \[[0-9a-f]{12}\]: files:suid_or_guid_set STOP '
check "and breakwater's own Event" described deployment report 'Warning +ImageDenied .*breakwater.io/webhook +.*stopped by policy'
check "the old pods run on" pods_of report 2
check "the audit log tells who was denied" grep -q '"system:serviceaccount:kube-system:deployment-controller".*"pods.breakwater.io/decision":"deny"' \
    "$BW_TMP/cluster/audit.log"

setting resourceMode podsEnforceWorkloadsWarn
check "pods alone are enforced: the Deployment is created, with what will become of its pods" says 0 'Warning: breakwater: would deny: .*suid_or_guid_set' \
    apply later "$host/shop/report:2.0"
check "rollout status does not say done" says 1 'Waiting for deployment "later" rollout|exceeded its progress deadline' \
    k rollout status deployment later --timeout=20s
check "describe deployment: replicas fail" described deployment later 'ReplicaFailure +True +FailedCreate'
check "describe replicaset: why" described replicaset later 'FailedCreate .*denied the request: .*stopped by policy'
check "with image, finding and rule" described replicaset later 'shop/report:2.0 \[[0-9a-f]{12}\]: files:suid_or_guid_set STOP '
check "and breakwater's own Event on it" described replicaset later 'Warning +ImageDenied .*breakwater.io/webhook'
check "the Deployment's status has the whole message" says 0 'questions: #platform' \
    k get deployment later -o jsonpath='{.status.conditions[?(@.type=="ReplicaFailure")].message}'
check "no pod was made" pods_of later 0
check "many denials of one owner are one Event, a series" says 0 '^[0-9]+$' \
    bash -c "[ \$('$kubectl' get events.events.k8s.io -o json | jq '[.items[] | select(.reason == \"ImageDenied\" and (.regarding.name | startswith(\"later-\")))] | length') = 1 ] && echo 1"
check "a dry run leaves no Event" bash -c "! '$kubectl' get events -o json | grep -q '\"asked\"'"
k delete deployment report later --wait=false >/dev/null

# ---- not seen before, and slow ----
setting resourceMode all
calls() { grep -c "\"requestURI\":\"/apis/apps/v1/namespaces/shop/deployments.*$1" "$BW_TMP/cluster/audit.log" || true; }
began=$(now)
check "an image that takes longer than an admission may: kubectl waits in silence and succeeds" says 0 '^deployment.apps/edge created$' \
    apply edge "$faults/late-4/edge:3.18" 1
echo "# kubectl apply of the slow image took $(seconds_since "$began") s"
check "the answer before was 429: not yet" says 0 '^[1-9][0-9]*$' calls '"code":429.*"pods.breakwater.io/decision":"pending"'
check "not more often than kubectl repeats" test "$(calls '"pods.breakwater.io/decision":"pending"')" -le 10
check "it was one analysis, which the repetitions shared" test \
    "$(grep -cE '^GET /v2/late-4/edge/blobs/sha256:[0-9a-f]+ 200' "$BW_TMP/faults/access.log")" -le 4
check "its pods follow without waiting" wait_for 30 pods_of edge 1

# ---- six wait, a seventh need not ----
tests/cluster/register "$webhook" "$BW_TMP/certs/ca.crt" 10 >"$BW_TMP/register.log" 2>&1
setting resourceMode podsOnly
for i in 1 2 3 4 5 6; do deployment "wait-$i" "$faults/hang/team-$i/edge:3.18" 1 && echo ---; done | k apply -f - >/dev/null
pending() { # as many as the controller has workers
    [ "$(k get replicasets -o jsonpath='{range .items[*]}{.status.conditions[?(@.type=="ReplicaFailure")].message}{"\n"}{end}' |
        grep -c 'not analysed yet')" -ge 5 ]
}
check "pods of images that are not analysed yet: their ReplicaSets say so" wait_for 60 pending
began=$(now)
check "a seventh is created" says 0 created apply seventh "$host/shop/hello:1.0" 1
check "and has its pod" wait_for 60 pods_of seventh 1
echo "# beside six Deployments that wait, another had its pod after $(seconds_since "$began") s"
check "controllers are told 403, so that none of their workers sleeps" says 0 '^0$' bash -c \
    "grep '\"system:serviceaccount:kube-system:replicaset-controller\"' '$BW_TMP/cluster/audit.log' | grep -c '\"code\":429' || true"
check "and long before their call ends" says 0 '^true$' bash -c \
    "grep '\"decision\":\"pending\"' '$BW_TMP/serve/log' | jq -s 'map(select((.name | startswith(\"wait-\"))) | .durationMs) | length >= 5 and max < 6000'"

check "nobody ever read of a deadline" bash -c "! grep -hE 'context deadline exceeded|failed calling webhook' '$BW_TMP/cluster/api.log' '$BW_TMP/cluster/audit.log' '$BW_TMP/cluster/controllers.log'"
serve_stop serve
check "nothing is wrong inside" sound
done_testing
