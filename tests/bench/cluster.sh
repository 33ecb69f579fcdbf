#!/usr/bin/env bash
# What a large cluster costs breakwater: 10 000 pods, 2 000 namespaces and 500 ConfigMaps with a bundle each in a real API
# server. Memory beyond what it takes beside an empty cluster, and CPU of an idle minute, beside their limits.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/integration/cluster.sh
. tests/integration/cluster.sh

n_bundles=500
most_mib=64 most_cpu_s=3
cluster_begin
k create namespace breakwater >/dev/null
k -n breakwater create serviceaccount breakwater >/dev/null
k create clusterrole breakwater --verb=get,list,watch --resource=configmaps,namespaces,nodes >/dev/null
k create clusterrolebinding breakwater --clusterrole=breakwater --serviceaccount=breakwater:breakwater >/dev/null
account_begin
server=$(k config view -o jsonpath='{.clusters[0].cluster.server}')
token=$(k config view --raw -o jsonpath='{.users[0].user.token}')

# the controllers would make a ServiceAccount and a ConfigMap in each namespace; nothing here needs them
stop_pid_file "$BW_TMP/cluster/controllers.pid"
fill() { # pods, namespaces or bundles, so many
    /usr/bin/python3 - "$server" "$token" "$BW_TMP/cluster/ca.crt" "$1" "$2" <<'P'
import http.client, json, ssl, sys, threading, urllib.parse
server, token, ca, what, count = *sys.argv[1:5], int(sys.argv[5])
where = urllib.parse.urlsplit(server)
demo = json.load(open("docs/examples/demo-bundle.json"))

def item(i):
    if what == "namespaces":
        return "/api/v1/namespaces", {"metadata": {"name": f"team-{i}", "labels": {"team": f"t{i}", "stage": "prod"},
                                                   "annotations": {"owner": f"group-{i}@example.com"}}}
    if what == "bundles":
        return "/api/v1/namespaces/breakwater/configmaps", {
            "metadata": {"name": f"bundle-{i}", "labels": {"breakwater.io/bundle": "yes"}},
            "data": {"bundle.json": json.dumps({**demo, "id": f"bundle-{i}"})}}
    return "/api/v1/namespaces/default/pods", {
        "metadata": {"name": f"pod-{i}", "labels": {"app": f"app-{i % 500}"}},
        "spec": {"containers": [{"name": "main", "image": f"registry.example/shop/app-{i % 500}:1"}]}}

def work(first, step):
    connection = http.client.HTTPSConnection(where.hostname, where.port, context=ssl.create_default_context(cafile=ca))
    for i in range(first, count, step):
        path, body = item(i)
        connection.request("POST", path, json.dumps(body), {"Authorization": "Bearer " + token, "Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 201:
            sys.exit(f"{path}: {answer.status} {text[:300]}")

threads = [threading.Thread(target=work, args=(i, 4)) for i in range(4)]
[one.start() for one in threads]
[one.join() for one in threads]
P
}
export KUBERNETES_SERVICE_HOST=127.0.0.1 KUBERNETES_SERVICE_PORT=${server##*:}
serve_start serve <<Y
kubernetes: {pullSecrets: never, events: never, nodes: always, serviceAccountDir: $BW_TMP/account}
policySelectors:
- {match: {namespaceSelector: {matchLabels: {stage: prod}}}, mode: policy, policyReference: {bundle: bundle-7}}
Y
unset KUBERNETES_SERVICE_HOST KUBERNETES_SERVICE_PORT
pid=$(cat "$BW_TMP/serve/pid")
rss_kib() { awk '/^VmRSS/ { print $2 }' "/proc/$pid/status"; }
cpu_s() { awk -v tick="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); print ($12 + $13) / tick }' "/proc/$pid/stat"; }
loaded() { [ "$(curl -sf "$(cat "$BW_TMP/serve/metrics")/metrics" | grep -c '^breakwater_bundle_valid{.*} 1$')" = "$n_bundles" ]; }

empty=$(rss_kib)
say "resident memory beside an empty cluster: $((empty / 1024)) MiB"
before=$empty
for part in pods:10000 namespaces:2000 bundles:$n_bundles; do
    what=${part%:*} count=${part#*:}
    fill "$what" "$count"
    if [ "$what" = bundles ]; then wait_for 120 loaded || die "only some of the bundles were loaded"; fi
    sleep 3
    after=$(rss_kib)
    say "$(printf '%-12s %6d   %+7.1f MiB' "$what" "$count" "$(awk -v d=$((after - before)) 'BEGIN { print d / 1024 }')")"
    before=$after
done
began=$(cpu_s)
sleep 60
idle=$(awk -v a="$began" -v b="$(cpu_s)" 'BEGIN { printf "%.2f", b - a }')
grown=$((($(rss_kib) - empty) / 1024))
say "growth       $grown MiB (limit $most_mib MiB)"
say "idle minute  $idle s of CPU (limit $most_cpu_s s)"
say "peak         $(awk '/^VmHWM/ { print int($2 / 1024) }' "/proc/$pid/status") MiB"
serve_stop serve
[ "$grown" -le "$most_mib" ] && awk -v s="$idle" -v most="$most_cpu_s" 'BEGIN { exit !(s <= most) }'
