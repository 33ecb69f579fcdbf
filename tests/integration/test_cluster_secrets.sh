#!/usr/bin/env bash
# Private images in a cluster: pull secrets of pods and of their ServiceAccounts, read from a real API server with the
# rights of a ServiceAccount and no more; who has none learns nothing from what others were shown.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/integration/cluster.sh
. tests/integration/cluster.sh

filled_registry basic

cluster_begin

webhook_at 127.96.0.21

secret_reader

mkdir -p "$BW_TMP/serve/bundles"
cp docs/examples/demo-bundle.json "$BW_TMP/serve/bundles/demo.json"
in_pod serve_start serve --listen "$webhook" <<Y
kubernetes: {pullSecrets: always, serviceAccountDir: $BW_TMP/account}
negativeTTL: 1s
authTTL: 0s
registry:
  allowAddresses: [127.0.0.0/8]
  hosts: {"$host": {caFile: $BW_TMP/ca/ca.crt}}
defaultPlatforms: [linux/amd64]
Y
tests/cluster/register "$webhook" "$BW_TMP/certs/ca.crt" 10 >"$BW_TMP/register.log" 2>&1

secret() { # NAMESPACE NAME PASSWORD
    k -n "$1" create secret docker-registry "$2" --docker-server="$host" --docker-username=alice --docker-password="$3" \
        --dry-run=client -o yaml | k apply -f -
}
pod() { # NAMESPACE NAME IMAGE [MORE OF THE SPEC]
    k apply -f - <<Y
apiVersion: v1
kind: Pod
metadata: {name: $2, namespace: $1}
spec: {containers: [{name: c, image: "$host/$3"}]${4:+, $4}}
Y
}
deployment() { # NAME IMAGE [MORE OF THE POD'S SPEC]
    k apply -f - <<Y
apiVersion: apps/v1
kind: Deployment
metadata: {name: $1, namespace: shop}
spec:
  replicas: 0
  selector: {matchLabels: {app: $1}}
  template:
    metadata: {labels: {app: $1}}
    spec: {containers: [{name: c, image: "$host/$2"}]${3:+, $3}}
Y
}
good=shop/hello:1.0 bad=shop/web:1.4
secret shop reg s3cret >/dev/null
secret shop wrong guessed >/dev/null
secret closed reg s3cret >/dev/null
k -n shop create serviceaccount puller >/dev/null
k -n shop patch serviceaccount puller -p '{"imagePullSecrets":[{"name":"reg"}]}' >/dev/null
wait_for 20 k -n closed get serviceaccount default

check "a private image without a pull secret is refused" says 1 'credentials' pod shop none "$good"
check "with the pod's pull secret it is admitted" says 0 'pod/own created' pod shop own "$good" 'imagePullSecrets: [{name: reg}]'
check "one who has none is refused all the same, though the image is known now" says 1 'credentials' pod shop other "$good"
check "the policy decides about a private image" says 1 'effective_user' pod shop bad "$bad" 'imagePullSecrets: [{name: reg}]'
check "one of several secrets is enough" says 0 'pod/several created' pod shop several "$good" \
    'imagePullSecrets: [{name: gone}, {name: wrong}, {name: reg}]'
check "a secret that is not there is named when it is missed" says 1 \
    'namespace shop has no secret gone, named in imagePullSecrets' pod shop missing "$good" 'imagePullSecrets: [{name: gone}]'
check "a wrong password is refused, and never printed" bash -c \
    "! grep -q guessed '$BW_TMP/serve/log'"
check "the ServiceAccount's secrets count for its pods" says 0 'pod/account created' pod shop account "$good" \
    'serviceAccountName: puller'
check "and for a template that names it" says 0 'deployment.apps/account created' deployment account "$good" \
    'serviceAccountName: puller'
check "a template of the default ServiceAccount has none" says 1 'credentials' deployment plain "$good"
check "a template with its own" says 0 'deployment.apps/own created' deployment own "$good" 'imagePullSecrets: [{name: reg}]'
check "secrets that breakwater may not read are named" says 1 'may not read secret reg' pod closed closed "$good" \
    'imagePullSecrets: [{name: reg}]'

# a password that was wrong is mended: the Secret is read again although it was read a moment ago
check "a wrong secret is refused" says 1 'credentials' pod shop mended "$good" 'imagePullSecrets: [{name: wrong}]'
secret shop wrong s3cret >/dev/null
check "a mended one is admitted at once" says 0 'pod/mended created' pod shop mended "$good" 'imagePullSecrets: [{name: wrong}]'

check "no password and no token is in the log" bash -c \
    "! grep -qE 's3cret|guessed' '$BW_TMP/serve/log' && ! grep -qF \"\$(cat '$BW_TMP/account/token')\" '$BW_TMP/serve/log'"
# the API server is gone, and somebody asks all the same: what cannot be had is done without, soon
tests/cluster/stop "$BW_TMP/cluster"
check "without the API server an admission is decided with what is configured" \
    says 0 'ServiceAccount default in namespace [^ ]* could not be read' \
    review serve deployment-create image="$host/$good"
check "nothing is wrong inside" sound
done_testing
