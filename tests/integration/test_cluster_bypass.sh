#!/usr/bin/env bash
# Ways past an image policy that have been tried on admission controllers, each against a real API server: none is open.
# An image that the bundle refuses must not come to run, wherever an object may name it and whatever stands around it.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/integration/cluster.sh
. tests/integration/cluster.sh

filled_registry plain

webhook_at 127.96.0.22
mkdir -p "$BW_TMP/serve/bundles"
cp docs/examples/demo-bundle.json "$BW_TMP/serve/bundles/demo.json"
serve_start serve --listen "$webhook" <<Y
registry:
  allowAddresses: [127.0.0.0/8]
  hosts: {"$host": {plainHTTP: true}}
defaultPlatforms: [linux/amd64]
policySelectors:
- id: emergency
  selector: {resourceType: resource, selectorKeyRegex: "^breakglass$", selectorValueRegex: "^true$"}
  mode: breakglass
- {id: rest, match: {}, mode: policy}
breakGlass: {groups: [sre], requireReason: true}
Y
cluster_begin
tests/cluster/register "$webhook" "$BW_TMP/certs/ca.crt" >"$BW_TMP/register.log" 2>&1
# developers may do everything in shop, and nothing to the cluster; sre may break the glass
k create clusterrole developer --verb='*' --resource='*.*' >/dev/null
k create rolebinding devs -n shop --clusterrole=developer --group=devs --group=sre >/dev/null
dev() { k --as=jane --as-group=devs --as-group=system:authenticated "$@"; }
sre() { k --as=sam --as-group=sre --as-group=system:authenticated "$@"; }
wait_for 20 dev -n shop auth can-i create pods

good=$host/shop/hello:1.0 bad=$host/shop/web:1.4
digest() { curl -sfI -H 'Accept: application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json' \
    "http://$host/v2/$1/manifests/$2" | tr -d '\r' | awk 'tolower($1) == "docker-content-digest:" { print $2 }'; }
refused='denied the request: (.|$)'

pod() { # WHO NAME SPEC [METADATA]
    "$1" apply -f - <<Y
apiVersion: v1
kind: Pod
metadata: {name: $2, namespace: shop${4:+, $4}}
spec: $3
Y
}
row() { # WHAT COMMAND…: it is refused, by the webhook, for what is in the image
    local what=$1
    shift
    check "$what" says 1 "$refused" "$@"
}
main="{name: main, image: \"$good\"}"

check "what is good is admitted" says 0 'created' pod dev base "{containers: [$main]}"

row "a container" pod dev p1 "{containers: [{name: c, image: \"$bad\"}]}"
row "an init container" pod dev p2 "{containers: [$main], initContainers: [{name: i, image: \"$bad\"}]}"
row "a sidecar" pod dev p3 "{containers: [$main], initContainers: [{name: i, image: \"$bad\", restartPolicy: Always}]}"
row "an image volume" pod dev p4 "{containers: [$main], volumes: [{name: v, image: {reference: \"$bad\"}}]}"
row "an ephemeral container by kubectl debug" dev -n shop debug base --image="$bad" -c debugger
row "the image of a running pod is changed" dev -n shop set image pod/base main="$bad"
row "two images are swapped in, one of them new" dev -n shop patch pod base --type=json \
    -p "[{\"op\": \"replace\", \"path\": \"/spec/containers/0/image\", \"value\": \"$bad\"}]"

workload() { # KIND APIVERSION SPEC
    dev apply -f - <<Y
apiVersion: $2
kind: $1
metadata: {name: w, namespace: shop}
spec: $3
Y
}
template="{metadata: {labels: {app: w}}, spec: {containers: [{name: c, image: \"$bad\"}]}}"
once="{metadata: {labels: {app: w}}, spec: {restartPolicy: Never, containers: [{name: c, image: \"$bad\"}]}}"
selector="selector: {matchLabels: {app: w}}"
row "a Deployment" workload Deployment apps/v1 "{$selector, template: $template}"
row "a ReplicaSet" workload ReplicaSet apps/v1 "{$selector, template: $template}"
row "a StatefulSet" workload StatefulSet apps/v1 "{serviceName: w, $selector, template: $template}"
row "a DaemonSet" workload DaemonSet apps/v1 "{$selector, template: $template}"
row "a ReplicationController" workload ReplicationController v1 "{selector: {app: w}, template: $template}"
row "a Job" workload Job batch/v1 "{template: $once}"
row "a CronJob" workload CronJob batch/v1 "{schedule: '0 0 * * *', jobTemplate: {spec: {template: $once}}}"
pod_template() {
    dev apply -f - <<Y
apiVersion: v1
kind: PodTemplate
metadata: {name: w, namespace: shop}
template: $template
Y
}
row "a PodTemplate" pod_template

check "a good Deployment" says 0 'created' dev -n shop create deployment ok --image="$good"
row "a Deployment is scaled, and its image changed on the way" dev -n shop patch deployment ok \
    -p "{\"spec\": {\"replicas\": 0, \"template\": {\"spec\": {\"containers\": [{\"name\": \"hello\", \"image\": \"$bad\"}]}}}}"
server_side() { dev -n shop apply --server-side -f - <<<"{apiVersion: v1, kind: Pod, metadata: {name: p5}, spec: {containers: [{name: c, image: \"$bad\"}]}}"; }
row "by server-side apply" server_side

uid=$(k -n shop get deployment ok -o jsonpath='{.metadata.uid}')
row "an owner is forged" pod dev p6 "{containers: [{name: c, image: \"$bad\"}]}" \
    "ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: ok, uid: $uid, controller: true}]"
row "a user claims a mirror pod" pod dev p7 "{nodeName: n1, containers: [{name: c, image: \"$bad\"}]}" \
    "annotations: {kubernetes.io/config.mirror: 0123456789abcdef}"
row "an object says that it is exempt" pod dev p8 "{containers: [{name: c, image: \"$bad\"}]}" \
    "labels: {breakwater.io/admission: ignore}, annotations: {breakwater.io/mode: warn}"
row "the glass is broken by somebody who may not" pod dev p9 "{containers: [{name: c, image: \"$bad\"}]}" \
    "labels: {breakglass: 'true'}, annotations: {breakwater.io/break-glass-reason: hello}"
row "by somebody who may, without a reason" pod sre p10 "{containers: [{name: c, image: \"$bad\"}]}" "labels: {breakglass: 'true'}"
check "and by somebody who may and says why: that is the way in" \
    says 0 'Warning: breakwater: .*the glass was broken: INC-7' \
    pod sre p11 "{containers: [{name: c, image: \"$bad\"}]}" \
    "labels: {breakglass: 'true'}, annotations: {breakwater.io/break-glass-reason: INC-7 the shop is down}"
check "which the audit log keeps" grep -q '"pods.breakwater.io/break-glass-reason":"INC-7' "$BW_TMP/cluster/audit.log"

evil=$(digest shop/web 1.4)
row "an approved tag beside another image's digest" pod dev p12 \
    "{containers: [{name: c, image: \"$host/shop/hello:1.0@$evil\"}]}"
check "blanks around the name: the API server's own refusal" says 1 'leading or trailing whitespace' pod dev p13 "{containers: [{name: c, image: \" $bad \"}]}"
row "a name in another spelling" pod dev p14 "{containers: [{name: c, image: \"$host/shop/./web:1.4\"}]}"

# the body as a client may write it itself
token=$(k config view --raw -o jsonpath='{.users[0].user.token}')
server=$(k config view -o jsonpath='{.clusters[0].cluster.server}')
create() { # BODY
    curl -s --cacert "$BW_TMP/cluster/ca.crt" -H "Authorization: Bearer $token" -H 'Content-Type: application/json' \
        -w '\nstatus %{http_code}\n' "$server/api/v1/namespaces/shop/pods" -d "$1"
}
container() { printf '{"apiVersion":"v1","kind":"Pod","metadata":{"generateName":"p-"},"spec":{"containers":[{"name":"c",%s}]}}' "$1"; }
check "an image named twice: what would run is judged" says 0 'status 403' \
    create "$(container "\"image\":\"$good\",\"image\":\"$bad\"")"
check "a NUL behind a good name" says 0 'status 4[0-9][0-9]' create "$(container "\"image\":\"$good\\u0000\"")"
check "a NUL in an annotation opens nothing" says 0 'status 403' \
    create "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"generateName\":\"p-\",\"annotations\":{\"a\":\"\\u0000\"}},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"$bad\"}]}}"

check "no pod has the image but the one behind the broken glass" \
    says 0 '^p11 *$' k -n shop get pods -o jsonpath="{range .items[?(@.spec.containers[0].image==\"$bad\")]}{.metadata.name} {end}"
refusals=$(grep -c '"pods.breakwater.io/decision":"deny"' "$BW_TMP/cluster/audit.log")
check "each of the $refusals refusals is in the audit log" [ "$refusals" -ge 27 ]
check "nothing is wrong inside" sound
done_testing
