#!/usr/bin/env bash
# breakwater evaluate -f: what admission would answer to manifests, asked before they are sent.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/integration/rig.sh
. tests/integration/rig.sh

layout=$(tests/images/make)
registry_start "$BW_TMP/plain" plain
registry_push "$BW_TMP/plain" "$layout" >"$BW_TMP/push.log" 2>&1
host=$(registry_host "$BW_TMP/plain")
good=$host/shop/hello:1.0 bad=$host/shop/web:1.4

cat >"$BW_TMP/config.yaml" <<Y
registry:
  allowAddresses: [127.0.0.0/8]
  hosts: {"$host": {plainHTTP: true}}
defaultPlatforms: [linux/amd64]
policySelectors:
- {match: {namespaceSelector: {matchLabels: {stage: lab}}}, mode: warn}
- {match: {}, users: {groups: [sre]}, mode: breakglass}
- {match: {}, mode: policy}
Y
mkdir "$BW_TMP/manifests"
cat >"$BW_TMP/manifests/good.yaml" <<Y
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, namespace: shop}
spec:
  schedule: "0 0 * * *"
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: "$good"}]}}}}
---
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {a: b}
Y
cat >"$BW_TMP/bad.yaml" <<Y
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Namespace
  metadata: {name: shop}
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: web, namespace: shop}
  spec:
    selector: {matchLabels: {a: b}}
    template:
      metadata: {labels: {a: b}}
      spec: {initContainers: [{name: i, image: "$bad"}], containers: [{name: c, image: "$good"}]}
Y
sed "s/metadata: {name: shop}/metadata: {name: shop, labels: {stage: lab}}/" "$BW_TMP/bad.yaml" >"$BW_TMP/lab.yaml"
printf 'apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: "%s"}]}\n' "$host/shop/web:9" >"$BW_TMP/typo.yaml"
printf 'apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: "127.0.0.1:1/a:1"}]}\n' >"$BW_TMP/down.yaml"
printf 'apiVersion: v1\nkind: Namespace\nmetadata: {name: default}\n' >"$BW_TMP/namespace.yaml"
printf 'apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n' >"$BW_TMP/shop.yaml"

evaluate() { bw evaluate --bundle docs/examples/demo-bundle.json --config "$BW_TMP/config.yaml" -f "$BW_TMP/namespace.yaml" "$@"; }

check "a folder of good manifests passes" says 0 "good.yaml: CronJob shop/nightly: (allow|warn)" evaluate -f "$BW_TMP/shop.yaml" -f "$BW_TMP/manifests"
check "a bad one does not, and the message is admission's" \
    says 1 'spec.template.spec.initContainers\[0\].image .*effective_user.*no-root' evaluate -f "$BW_TMP/bad.yaml"
check "it says which object of which file" says 1 'bad.yaml: Deployment shop/web: deny' evaluate -f "$BW_TMP/bad.yaml"
check "standard input" says 1 'stdin: Deployment shop/web: deny' bash -c \
    "'$BW_PROGRAM' evaluate --bundle docs/examples/demo-bundle.json --config '$BW_TMP/config.yaml' -f - <'$BW_TMP/bad.yaml'"
check "labels of a Namespace in the manifests choose the selector" says 0 'warning: breakwater: would deny: ' evaluate -f "$BW_TMP/lab.yaml"
check "so does who creates it" says 0 'Deployment shop/web: break-glass' evaluate -f "$BW_TMP/bad.yaml" --as-group sre
check "a namespace that is not known decides nothing" says 2 'namespace elsewhere' \
    evaluate -n elsewhere -f "$BW_TMP/typo.yaml"
check "no such image" says 1 'does not exist' evaluate -f "$BW_TMP/typo.yaml"
check "a registry that is away: it could not be told" says 2 'Pod default/p: error' evaluate -f "$BW_TMP/down.yaml"
check "for programs" says 0 '^deny True' bash -c \
    "'$BW_PROGRAM' evaluate --output json --bundle docs/examples/demo-bundle.json --config '$BW_TMP/config.yaml' -f '$BW_TMP/bad.yaml' |
     /usr/bin/python3 -c 'import json,sys; d=json.load(sys.stdin)[0]; print(d[\"decision\"], any(\"effective_user\" in c[\"reason\"] for c in d[\"causes\"]))'"
check "what is no manifest is named" says 2 'config.yaml: a document without kind' evaluate -f "$BW_TMP/config.yaml"
check "-f needs a bundle" says 2 'goes with --bundle' bw evaluate -f "$BW_TMP/bad.yaml"
done_testing
