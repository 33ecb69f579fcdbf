#!/usr/bin/env bash
# End to end: kubectl, a real Kubernetes API server, breakwater behind a Service, a real registry and one that hangs.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/integration/cluster.sh
. tests/integration/cluster.sh

filled_registry plain
fault_start "$BW_TMP/faults" "$layout"
faults=$(registry_host "$BW_TMP/faults")

webhook_at 127.96.0.20
mkdir -p "$BW_TMP/serve/bundles"
cp docs/examples/demo-bundle.json "$BW_TMP/serve/bundles/demo.json"
serve_start serve --listen "$webhook" <<Y
webhook: {timeoutSeconds: 3}
registry:
  allowAddresses: [127.0.0.0/8]
  hosts: {"$host": {plainHTTP: true}, "$faults": {plainHTTP: true}}
defaultPlatforms: [linux/amd64]
Y
cluster_begin
tests/cluster/register "$webhook" "$BW_TMP/certs/ca.crt" 3 >"$BW_TMP/register.log" 2>&1

apply() { tests/integration/admissions.py yaml --registry "$host" "$1" | k apply -f - 2>&1; }

check "a good pod is created" says 0 'pod/shop-new created' apply shop-new
check "a bad pod is refused with message and exit status" says 1 \
    'Error from server \(Forbidden\): error when creating "STDIN": admission webhook "pods.breakwater.io" denied the request: ' \
    apply shop-old
check "the message names image, rule and what to do" says 1 'shop/web:1.4.*effective_user.*(USER|root).*no-root' apply shop-old
check "the refused pod does not exist" says 1 'NotFound' k get pod shop-old
check "a Deployment is created with warnings" says 0 'Warning: breakwater: ' apply report
check "and its controllers may make its pods" wait_for 15 bash -c \
    "[ \$('$kubectl' get pods -l app=report -o name | wc -l) = 2 ]"
check "a CronJob of a multi-platform image" says 0 'cronjob.batch/nightly created' apply nightly
check "the same image for arm64 nodes" says 1 'AWS' apply nightly-arm
check "an init container" says 1 'initContainers' apply migrate
check "an image volume" says 0 'pod/settings created' apply settings
check "kubectl debug with a bad image" says 1 'ephemeralContainers' k debug shop-new --image="$host/shop/web:1.4" -c bad
check "kubectl debug with a good one" says 0 '' k debug shop-new --image="$host/shop/hello:1.0" -c good
check "no such image" says 1 'does not exist' apply typo
check "server-side dry run has the true verdict" says 1 'effective_user' k run dry --image="$host/shop/web:1.4" --dry-run=server
check "an image is changed: refused" says 1 'effective_user' k set image pod/shop-new main="$host/shop/web:1.4"
check "a label is changed: admitted" says 0 'labeled' k label pod shop-new a=b
check "a Deployment is scaled" says 0 'scaled' k scale deployment report --replicas=3
check "a pod is deleted" says 0 'deleted' k delete pod settings --now
check "namespaces that are exempt are not asked about" says 0 'created' k -n kube-system run exempt --image=nowhere.invalid/x:1
check "the audit log has the decision" grep -q '"pods.breakwater.io/decision":"deny"' "$BW_TMP/cluster/audit.log"

sed '/"id": "setuid"/,/}/s/"WARN"/"STOP"/' docs/examples/demo-bundle.json >"$BW_TMP/serve/bundles/.new"
mv "$BW_TMP/serve/bundles/.new" "$BW_TMP/serve/bundles/demo.json"
check "a bundle is edited: the next pod is refused" wait_for 10 bash -c \
    "'$kubectl' run later --dry-run=server --image='$host/shop/report:2.0' 2>&1 | grep suid_or_guid_set"
k delete pods -l app=report --now >/dev/null
check "controllers are refused as well, and say why in an event" wait_for 20 bash -c \
    "'$kubectl' get events --field-selector reason=FailedCreate -o jsonpath='{.items[*].message}' | grep suid_or_guid_set"

# a registry that hangs, and a deadline of 3 s: answered by us, before the API server gives up
token=$(k config view --raw -o jsonpath='{.users[0].user.token}')
server=$(k config view -o jsonpath='{.clusters[0].cluster.server}')
create() { # IMAGE: as a client that does not repeat; status, Retry-After, seconds and body
    curl -s --cacert "$BW_TMP/cluster/ca.crt" -H "Authorization: Bearer $token" -H 'Content-Type: application/json' \
        -w '\nstatus %{http_code} retry-after %header{retry-after} seconds %{time_total}\n' "$server/api/v1/namespaces/shop/pods" \
        -d '{"apiVersion":"v1","kind":"Pod","metadata":{"generateName":"p-"},"spec":{"containers":[{"name":"c","image":"'"$1"'"}]}}'
}
check "the deadline passes while the registry hangs: 429 with Retry-After, in time" \
    says 0 'status 429 retry-after [1-5] seconds [0-2]\.' create "$faults/hang/edge:3.18"
check "and the person reads that it is being analysed, not a deadline" says 0 'analys' create "$faults/hang/edge:3.18"
check "nobody reads context deadline exceeded" bash -c "! grep -q 'context deadline exceeded' '$BW_TMP/cluster/api.log'"
check "an image that takes longer than the deadline: kubectl waits in silence and succeeds" says 0 'pod/slow created' \
    k run slow --image="$faults/late-4/edge:3.18"
check "meanwhile and afterwards others are served" says 0 'created' k run quick --image="$host/shop/hello:1.0"

serve_stop serve
check "without the webhook nothing is created" says 1 'failed calling webhook' k run down --image="$host/shop/hello:1.0"
done_testing
