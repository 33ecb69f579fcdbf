#!/usr/bin/env bash
# breakwater evaluate -f --cluster: manifests answered by the bundles, namespaces and pull secrets of a real API server.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/integration/cluster.sh
. tests/integration/cluster.sh

filled_registry basic
cluster_begin

cat >"$BW_TMP/config.yaml" <<Y
registry:
  allowAddresses: [127.0.0.0/8]
  hosts: {"$host": {caFile: $BW_TMP/ca/ca.crt}}
defaultPlatforms: [linux/amd64]
policySelectors:
- {match: {namespaceSelector: {matchLabels: {stage: lab}}}, mode: warn}
- {match: {}, mode: policy}
Y
k create namespace breakwater >/dev/null
k create namespace shop >/dev/null
k create namespace lab >/dev/null
k label namespace lab stage=lab >/dev/null
for space in shop lab; do
    k -n "$space" create secret docker-registry reg --docker-server="$host" --docker-username=alice --docker-password=s3cret >/dev/null
done
pod() { # NAMESPACE IMAGE
    printf 'apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: %s}\nspec: {imagePullSecrets: [{name: reg}], containers: [{name: c, image: "%s"}]}\n' \
        "$1" "$host/$2" >"$BW_TMP/$1.yaml"
}
evaluate() { bw evaluate --cluster --config "$BW_TMP/config.yaml" -f "$BW_TMP/$1.yaml"; }
pod shop shop/web:1.4
pod lab shop/web:1.4
check "without a bundle in the cluster it cannot be told" says 2 'no policy bundle is in force' evaluate shop
k -n breakwater create configmap prod --from-file=demo.json=docs/examples/demo-bundle.json >/dev/null
k -n breakwater label configmap prod breakwater.io/bundle=active >/dev/null
check "the cluster's bundle refuses, the pull secret was the pod's" says 1 'Pod shop/p: deny' evaluate shop
check "the message is admission's" says 1 'effective_user.*no-root' evaluate shop
check "a label of the cluster's namespace chooses the selector" says 0 'would deny' evaluate lab
pod shop shop/hello:1.0
check "a good one passes" says 0 'Pod shop/p: (allow|warn)' evaluate shop
check "no password is printed" bash -c "! '$BW_PROGRAM' evaluate --cluster --config '$BW_TMP/config.yaml' -f '$BW_TMP/shop.yaml' 2>&1 | grep s3cret"
check "a bundle of a file or of a cluster, not both" says 2 'bundle or --cluster' \
    bw evaluate --cluster --bundle docs/examples/demo-bundle.json -f "$BW_TMP/shop.yaml"
done_testing
