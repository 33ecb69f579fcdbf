#!/usr/bin/env bash
# Namespaces and nodes as an informer follows them in a real API server: what changes is seen in verdicts at once, and
# nothing is missed while the connection is cut, the server is restarted or away, or its history is compacted.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/integration/cluster.sh
. tests/integration/cluster.sh

filled_registry plain

cluster_begin
cluster_stop() { # without the 20 s in which it would wait for its watches to end
    stop_pid_file "$BW_TMP/cluster/controllers.pid" 1
    stop_pid_file "$BW_TMP/cluster/api.pid" 1
}

# breakwater's own ServiceAccount: it may follow namespaces; nodes from later on
k apply -f - >"$BW_TMP/rbac.log" <<'Y'
apiVersion: v1
kind: Namespace
metadata: {name: breakwater}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: breakwater, namespace: breakwater}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: breakwater-namespaces}
rules: [{apiGroups: [""], resources: [namespaces], verbs: [list, watch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: breakwater-namespaces}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: breakwater-namespaces}
subjects: [{kind: ServiceAccount, name: breakwater, namespace: breakwater}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: breakwater-bundles, namespace: breakwater}
rules: [{apiGroups: [""], resources: [configmaps], verbs: [get, list, watch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: breakwater-bundles, namespace: breakwater}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: breakwater-bundles}
subjects: [{kind: ServiceAccount, name: breakwater, namespace: breakwater}]
Y
account_begin
server=$(k config view -o jsonpath='{.clusters[0].cluster.server}')

# what breakwater says to the API server goes through here, so that it can be cut while kubectl goes on
relay_port=$(free_port 0)
relay_start() {
    rm -f "$BW_TMP/relay.log"
    tests/integration/relay.py "$relay_port" "${server##*:}" >"$BW_TMP/relay.log" 2>&1 &
    echo $! >"$BW_TMP/relay.pid"
    wait_for 20 grep -q ready "$BW_TMP/relay.log" || die "the relay did not start: $(cat "$BW_TMP/relay.log")"
}
relay_stop() { stop_pid_file "$BW_TMP/relay.pid"; }
on_exit relay_stop
relay_start

# no namespace GET is allowed: what verdicts know of labels comes from the watch alone
export KUBERNETES_SERVICE_HOST=127.0.0.1 KUBERNETES_SERVICE_PORT=$relay_port
mkdir -p "$BW_TMP/serve/bundles"
cp docs/examples/demo-bundle.json "$BW_TMP/serve/bundles/demo.json"
serve_start serve <<Y
kubernetes: {pullSecrets: never, nodes: always, serviceAccountDir: $BW_TMP/account}
requestAnalysis: false
onNoSelectorMatch: deny
policySelectors:
  - {id: judged, match: {namespaces: [default]}, mode: policy, requestAnalysis: true}
  - {id: opened, match: {namespaceSelector: {matchLabels: {gate: open}}}, mode: breakglass}
registry:
  allowAddresses: [127.0.0.0/8]
  hosts: {"$host": {plainHTTP: true}}
Y
unset KUBERNETES_SERVICE_HOST KUBERNETES_SERVICE_PORT

verdict() { # NAMESPACE
    review serve pod-create image=registry.example/shop/web:1 "namespace=$1" | grep -o '"allowed": *[a-z]*'
}
opened() { verdict "$1" | grep -q true; }
closed() { verdict "$1" | grep -q false; }
label() { k label namespace "$1" --overwrite "gate=$2" >/dev/null; }
metric() { # NAME{LABELS}; 0 when it is not there
    curl -sf "$(cat "$BW_TMP/serve/metrics")/metrics" | awk -v name="$1" '$1 == name { print $2; n++ } END { if (!n) print 0 }'
}
restarts() { metric "breakwater_watch_restarts_total{resource=\"namespaces\",reason=\"$1\"}"; }
more_restarts() { # REASON THAN
    [ "$(restarts "$1")" -gt "$2" ]
}
logged() { grep -q -- "$1" "$BW_TMP/serve/log"; }

k create namespace shop >/dev/null
check "a namespace without the label" wait_for 20 closed shop
label shop open
check "a label counts as soon as it is set" wait_for 20 opened shop
label shop shut
check "and as soon as it is changed" wait_for 20 closed shop
k create namespace fresh >/dev/null && label fresh open
check "in a namespace that is new as well" wait_for 20 opened fresh
last_event() { [ "$(metric 'breakwater_watch_last_event_timestamp_seconds{resource="namespaces"}' | cut -d. -f1)" != 0 ]; }
check "the last event's time is a metric" wait_for 5 last_event

check "what may not be followed is said in plain words" logged \
    'the ServiceAccount may not list nodes (a role has to grant it)'
k create clusterrole breakwater-nodes --verb=list,watch --resource=nodes >/dev/null
k create clusterrolebinding breakwater-nodes --clusterrole=breakwater-nodes --serviceaccount=breakwater:breakwater >/dev/null
followed_again() { grep 'followed again' "$BW_TMP/serve/log" | grep -q '"nodes"'; }
check "and followed once a role grants it" wait_for 60 followed_again

# an index of two platforms, of which the one for arm64 holds a secret
node() { # ARCHITECTURE
    k apply -f - <<Y
apiVersion: v1
kind: Node
metadata: {name: $1, labels: {kubernetes.io/os: linux, kubernetes.io/arch: $1}}
Y
}
tool() { # PATTERN
    review serve pod-create "image=$host/shop/tool:3.1" namespace=default | grep -qE "$1"
}
check "without nodes all platforms of an index are judged" wait_for 60 tool AWS
node amd64 >/dev/null
check "with nodes those that they run" wait_for 20 tool '"allowed": *true'
node arm64 >/dev/null
check "also when one comes later" wait_for 20 tool AWS
k delete node arm64 >/dev/null
check "or goes" wait_for 20 tool '"allowed": *true'

# the connection is cut, and meanwhile things change
before=$(restarts cut)
relay_stop
label shop open
k delete namespace fresh --wait=false >/dev/null
check "what was seen stays in force while the API server cannot be reached" closed shop
relay_start
check "what changed while the connection was cut is seen" wait_for 60 opened shop
check "and the cut is counted" wait_for 20 more_restarts cut "$before"
unknown() { # an undecided selector denies and says so
    review serve pod-create image=registry.example/shop/web:1 "namespace=$1" | grep -q "labels of namespace $1"
}
check "a namespace that was deleted meanwhile is known no longer" wait_for 60 unknown fresh

# the API server is restarted: on the same data, with the same versions
cluster_stop
check "verdicts go on while the API server is stopped" opened shop
tests/cluster/start "$BW_TMP/cluster"
label shop shut
check "the next change after a restart is seen" wait_for 60 closed shop

# away for 20 s
cluster_stop
sleep 20
check "readiness does not depend on the API server" curl -sf "$(cat "$BW_TMP/serve/health")/readyz"
tests/cluster/start "$BW_TMP/cluster" --etcd-compaction-interval=1s
label shop open
check "the next change after 20 s without an API server is seen" wait_for 60 opened shop

# the history since the cut is compacted: a new list shows what changed and what vanished
k create namespace vanishing >/dev/null && label vanishing open
check "a namespace that will vanish" wait_for 20 opened vanishing
before=$(restarts gone)
relay_stop
label shop shut
k delete namespace vanishing --wait=false >/dev/null
gone() { ! k get namespace "$1"; }
check "the namespace vanishes" wait_for 60 gone vanishing
cluster_stop
tests/cluster/start "$BW_TMP/cluster" # its cache of events begins here
relay_start
check "what changed in a history that is compacted is seen" wait_for 60 closed shop
check "what vanished in it as well" wait_for 20 unknown vanishing
check "and that a version was gone is counted" wait_for 20 more_restarts gone "$before"
check "troubles and their ends are said once each" test "$(grep -c 'is not followed for now' "$BW_TMP/serve/log")" -lt 20

serve_stop serve
check "it stops with its watches in order" logged '"stopped"'
check "no sanitizer complains" sound
done_testing
