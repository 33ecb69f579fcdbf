#!/usr/bin/env bash
# The chart and the manifests without a cluster: they lint, render for every supported Kubernetes, hold nothing that it would
# not serve, configure breakwater as it can be configured, ask for no more rights than are switched on, refuse wrong
# values in words, and what is made from them is up to date.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/integration/rig.sh
. tests/integration/rig.sh

chart=charts/breakwater
if ! helm=$(tests/cluster/helm 2>"$BW_TMP/helm.log"); then
    skip "the chart" "$(tail -n 1 "$BW_TMP/helm.log")"
    exit 0
fi
if ! try_packages chart; then
    skip "the chart" "$BW_WHY"
    exit 0
fi
render() { "$helm" template breakwater "$chart" -n breakwater "$@"; }
# objects EXPRESSION [options]: of the rendered objects o, by Python; get(KIND, NAME) is one of them
objects() {
    local expression=$1
    shift
    render "$@" >"$BW_TMP/rendered.yaml" && /usr/bin/python3 - "$BW_TMP/rendered.yaml" "$expression" <<'PY'
import sys, yaml
o = [d for d in yaml.safe_load_all(open(sys.argv[1])) if d]
get = lambda kind, name="breakwater": next((d for d in o if d["kind"] == kind and d["metadata"]["name"] == name), {})
print(eval("(" + sys.argv[2] + ")"))
PY
}
is() { # WANTED EXPRESSION [options]
    local wanted=$1 found
    shift
    found=$(objects "$@") || return 1
    printf 'found %s, wanted %s\n' "$found" "$wanted"
    [ "$found" = "$wanted" ]
}

check "what is made from values.yaml and manifests/monitoring is up to date" hack/chart --check
check "what is made from the chart is up to date" hack/manifests --check

# each of the values in ci/, and none
sets=('')
for file in "$chart"/ci/*-values.yaml; do sets+=("$file"); done
served='{"v1": "ServiceAccount Service ConfigMap Pod", "apps/v1": "Deployment", "batch/v1": "Job",
    "rbac.authorization.k8s.io/v1": "Role RoleBinding ClusterRole ClusterRoleBinding", "policy/v1": "PodDisruptionBudget",
    "autoscaling/v2": "HorizontalPodAutoscaler", "networking.k8s.io/v1": "NetworkPolicy",
    "admissionregistration.k8s.io/v1": "ValidatingWebhookConfiguration", "cert-manager.io/v1": "Certificate Issuer",
    "monitoring.coreos.com/v1": "ServiceMonitor PodMonitor PrometheusRule"}'
for file in "${sets[@]}"; do
    name=${file##*/}
    name=${name:-defaults}
    # shellcheck disable=SC2086
    check "lint: $name" "$helm" lint --strict "$chart" ${file:+-f $file}
    for version in 25 26 27 28 29 30 31 32 33 34 35; do
        # all kinds are served since 1.25; fields that came later are not rendered before
        # shellcheck disable=SC2016,SC2086
        check "Kubernetes 1.$version: $name" is '[]' \
            '[d["kind"] for d in o if d["kind"] not in '"$served"'[d["apiVersion"]].split()] +
             [f for f, since in (("matchConditions", 28), ("unhealthyPodEvictionPolicy", 27), ("trafficDistribution", 31))
              if '$version' < since and f in str(o)]' --kube-version "1.$version.0" ${file:+-f $file}
    done
done
check "older versions are refused" says 1 'requires kubeVersion: >=1.25' render --kube-version 1.24.9
check "conditions are there from 1.28 on, also on managed clusters" is "[1, None, 1]" \
    '[len(w["matchConditions"]) if "matchConditions" in w else None for w in get("ValidatingWebhookConfiguration")["webhooks"]]' \
    --kube-version 1.28.3-gke.100
check "with updates: all no update is held back" is False '"template-changed" in str(o)' --set config.updates=all

for file in "${sets[@]}"; do
    # shellcheck disable=SC2086
    objects 'get("ConfigMap", "breakwater-config").get("data", {}).get("config.yaml", "")' ${file:+-f $file} >"$BW_TMP/config.yaml"
    [ "$(wc -c <"$BW_TMP/config.yaml")" -gt 1 ] || continue # existingConfigMap
    check "breakwater takes the configuration of ${file:-the defaults}" bw check "$BW_TMP/config.yaml"
done
check "values of the chart arrive in it, and config has the last word" is "['9m', 'warn', '512MiB', 'https://m', '/etc/breakwater/ca/r.example_5000.pem']" \
    '(lambda c: [c["analysis"]["wallLimit"], c["log"]["level"], c["cache"]["memoryBytes"], c["registry"]["hosts"]["r.example:5000"]["mirrors"][0],
                 c["registry"]["hosts"]["r.example:5000"]["caFile"]])(yaml.safe_load(get("ConfigMap", "breakwater-config")["data"]["config.yaml"]))' \
    --set analysis.timeout=9m,log.level=info,config.log.level=warn,cache.memory.size=512Mi \
    --set-json 'registry={"hosts": {"r.example:5000": {"mirrors": ["https://m"]}}, "caCerts": {"r.example:5000": "-----BEGIN CERTIFICATE-----"}}'
objects 'get("ConfigMap", "breakwater-config")["data"]["config.yaml"]' --set rbac.nodes=false,rbac.events=false,registry.pullSecrets.enabled=false >"$BW_TMP/config.yaml"
check "what may not be read or written is not tried" test "$(grep -c ': never$' "$BW_TMP/config.yaml")" = 3
check "and breakwater takes that, too" bw check "$BW_TMP/config.yaml"
render --set-file 'bundles.items.prod\.json=docs/examples/demo-bundle.json' --show-only templates/bundles.yaml >"$BW_TMP/bundle.yaml"
check "a bundle of the release is one that breakwater loads" says 0 'ConfigMap breakwater-bundle-prod-json data\[prod.json\]: 0 errors' \
    bw check "$BW_TMP/bundle.yaml"

# pods are replaced for what counts from the start on, and for nothing else
sum() { objects 'get("Deployment")["spec"]["template"]["metadata"]["annotations"]["checksum/config"]' "$@"; }
before=$(sum)
check "a setting that is taken over while it runs replaces no pod" test "$before" = "$(sum --set log.level=debug --set-json 'policySelectors=[{"mode":"warn"}]')"
check "one that counts from the next start does" test "$before" != "$(sum --set cache.memory.size=64Mi)"
check "selectors of a Deployment never change" is "['app.kubernetes.io/component', 'app.kubernetes.io/instance', 'app.kubernetes.io/name']" \
    'sorted(get("Deployment")["spec"]["selector"]["matchLabels"])' -f "$chart/ci/full-values.yaml"
check "no mount is by subPath, which is never renewed" is False '"subPath" in str(o)' -f "$chart/ci/full-values.yaml"
check "the CA's key is not mounted" is "['tls.crt', 'tls.key']" \
    '[i["key"] for v in get("Deployment")["spec"]["template"]["spec"]["volumes"] if v["name"] == "tls" for i in v["secret"]["items"]]'
check "the webhook's own namespace is never asked about, whatever the values" is True \
    'all("bw" in w["namespaceSelector"]["matchExpressions"][0]["values"] for w in get("ValidatingWebhookConfiguration")["webhooks"] if w["failurePolicy"] == "Fail")' \
    -n bw --set webhook.enableAfterReady=false,webhook.includeKubeSystem=true
check "installed as Ignore, upgraded as configured" is "Fail" 'get("ValidatingWebhookConfiguration")["webhooks"][0]["failurePolicy"]' --is-upgrade
check "the webhook configuration is the last that is not a hook" is ValidatingWebhookConfiguration \
    '[d["kind"] for d in o if "helm.sh/hook" not in d["metadata"].get("annotations", {})][-1]'

check "an uninstall begins with the webhook configuration, and ends with what breakwater made itself" is \
    "[('pre-delete', ['uninstall', '--webhook=breakwater']), ('post-delete', ['uninstall', '--webhook=breakwater', '--secret=breakwater/breakwater-tls', '--lease=breakwater/breakwater'])]" \
    'sorted([(d["metadata"]["annotations"]["helm.sh/hook"], d["spec"]["template"]["spec"]["containers"][0]["args"]) for d in o
      if d["kind"] == "Job" and "delete" in d["metadata"]["annotations"]["helm.sh/hook"]], reverse=True)'
check "an image is named by registry, path and tag" is r.example:5000/a/b/breakwater:v1 \
    'get("Deployment")["spec"]["template"]["spec"]["containers"][0]["image"]' --set image.registry=r.example:5000/a/b,image.tag=v1
digest=sha256:$(printf %064d 0)
check "or by digest" is "breakwater@$digest" \
    'get("Deployment")["spec"]["template"]["spec"]["containers"][0]["image"]' --set "image.digest=$digest"

# rights
rules='sorted((d["kind"], d["metadata"].get("namespace", ""), g, r, ",".join(rule.get("resourceNames", [])), ",".join(rule["verbs"]))
    for d in o if d["kind"] in ("Role", "ClusterRole") and "helm.sh/hook" not in d["metadata"].get("annotations", {})
    for rule in d["rules"] for g in rule["apiGroups"] for r in rule["resources"])'
check "with everything off, only bundles may be read" is "[('Role', 'breakwater', '', 'configmaps', '', 'get,list,watch')]" "$rules" \
    --set certs.mode=existingSecret,rbac.namespaces=false,rbac.nodes=false,rbac.events=false,registry.pullSecrets.enabled=false
check "pull secrets of two namespaces are no right over the others" is "['breakwater', 'pay', 'shop']" \
    "sorted({n for k, n, g, r, names, v in $rules if r == 'secrets'})" --set 'registry.pullSecrets.namespaces={shop,pay}'
for file in "${sets[@]}"; do
    # shellcheck disable=SC2086
    check "no wildcard, no more than named: ${file:-defaults}" is "[]" \
        "[x for d in o if d['kind'] in ('Role', 'ClusterRole') for rule in d['rules'] for x in
            [v for part in rule.values() for v in part if '*' in v] +
            [v for v in rule['verbs'] if v in ('delete', 'patch', 'update') and 'events' not in rule['resources'] and not rule.get('resourceNames')]]" ${file:+-f $file}
done
check "only the account of the uninstall may delete" is "{'breakwater-uninstall'}" \
    '{d["metadata"]["name"] for d in o if d["kind"] in ("Role", "ClusterRole") for rule in d["rules"] if "delete" in rule["verbs"]}'
check "every pod meets the Pod Security Standard restricted" is "[]" \
    '[d["metadata"]["name"] for d in o if d["kind"] in ("Deployment", "Job") for p in [d["spec"]["template"]["spec"]] for c in p["containers"]
      if not (p["securityContext"]["runAsNonRoot"] and p["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault" and
              c["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True})]'

# wrong values, and what is said of them
while read -r value expected; do
    [ -n "$value" ] || continue
    option=--set
    case $value in json:*) option=--set-json value=${value#json:} ;; esac
    check "refused: $value" says 1 "$expected" render "$option" "$value"
done <<'ROWS'
webhok.enabled=true additional properties 'webhok' not allowed
webhook.failurepolicy=Fail /webhook.*additional properties 'failurepolicy'
webhook.failurePolicy=Warn /webhook/failurePolicy.*'Fail', 'Ignore'
webhook.timeoutSeconds=30 /webhook/timeoutSeconds.*maximum: got 30, want 29
webhook.timeoutSeconds=0 /webhook/timeoutSeconds.*minimum: got 0, want 1
webhook.port=70000 /webhook/port.*maximum
webhook.url=https://breakwater.example certs.mode to existingSecret
webhook.url=http://breakwater /webhook/url.*does not match pattern '\^\(https://
webhook.enabled=perhaps /webhook/enabled.*got string, want boolean
json:webhook.rules=[] /webhook/rules.*minItems
json:webhook.rules=[{"apiGroups":["*"]}] /webhook/rules/0.*missing properties 'apiVersions', 'resources'
json:webhook.matchConditions=[{"name":"a"}] /webhook/matchConditions/0.*missing property 'expression'
json:webhook.namespaceSelector=[{"key":"a","operator":"Is"}] /webhook/namespaceSelector/0/operator.*'NotIn'
image.digest=sha256:12 /image/digest.*does not match pattern
image.registry=https://registry.example/security /image/registry.*does not match pattern
image.pullPolicy=Sometimes /image/pullPolicy.*'IfNotPresent'
json:imagePullSecrets=["pull"] /imagePullSecrets/0.*got string, want object
certs.mode=letsencrypt /certs/mode.*'selfSigned', 'certManager', 'existingSecret'
certs.caBundle=/etc/ca.pem /certs/caBundle.*BEGIN CERTIFICATE
certs.selfSigned.lifetime=90days /certs/selfSigned/lifetime.*does not match pattern
json:policySelectors=[{"mode":"enforce"}] /policySelectors/0/mode.*'policy', 'analysis', 'breakglass', 'passive', 'warn'
json:policySelectors=[{"id":"a"}] /policySelectors/0.*missing property 'mode'
json:exemptions=[{"id":"a","images":["x"]}] /exemptions/0.*missing properties 'expires', 'reason'
json:exemptNamespaces=["Shop"] /exemptNamespaces/0.*does not match pattern
json:bundles.items={"prod":"{}"} 'prod' does not match pattern.*json.yaml
bundles.namespaces=all /bundles/namespaces.*got string, want array
registry.hosts.docker.mirror=x /registry/hosts/docker.*additional properties 'mirror'
cache.disk.size=2GB /cache/disk/size.*'2GB' does not match pattern
cache.memory.size=32 /cache/memory/size.*got number, want string
analysis.concurrency=0 /analysis/concurrency.*minimum
log.level=verbose /log/level.*'debug', 'info', 'warn', 'error'
replicaCount=many /replicaCount.*got string, want integer
podLabels.a=1 /podLabels/a.*got number, want string
podDisruptionBudget.minAvailable=half /podDisruptionBudget/minAvailable
nameOverride=Break_water /nameOverride.*does not match pattern
ROWS
done_testing
