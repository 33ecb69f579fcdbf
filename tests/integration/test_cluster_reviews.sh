#!/usr/bin/env bash
# kubectl and a real API server ask breakwater about ConfigMaps with bundles and about the label that exempts a namespace.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/integration/cluster.sh
. tests/integration/cluster.sh

webhook_at 127.96.0.23
mkdir -p "$BW_TMP/serve/bundles"
cp docs/examples/demo-bundle.json "$BW_TMP/serve/bundles/demo.json"
serve_start serve --listen "$webhook" <<'Y'
exemptNamespaces: ["build-*"]
exemptionAdmins: {groups: [platform]}
Y
cluster_begin
tests/cluster/register "$webhook" "$BW_TMP/certs/ca.crt" >"$BW_TMP/register.log" 2>&1

# what the chart registers besides, and somebody who may label namespaces
k apply -f - >"$BW_TMP/reviews.log" <<Y
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: breakwater-reviews}
webhooks:
- name: bundles.breakwater.io
  clientConfig: &service
    service: {namespace: breakwater, name: breakwater, path: /validate-bundle, port: ${webhook##*:}}
    caBundle: $(base64 -w0 "$BW_TMP/certs/ca.crt")
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Fail
  timeoutSeconds: 20
  objectSelector: {matchExpressions: [{key: breakwater.io/bundle, operator: Exists}]}
  rules: [{operations: [CREATE, UPDATE, DELETE], apiGroups: [""], apiVersions: [v1], resources: [configmaps], scope: Namespaced}]
- name: namespaces.breakwater.io
  clientConfig:
    <<: *service
    service: {namespace: breakwater, name: breakwater, path: /validate-namespace, port: ${webhook##*:}}
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Fail
  timeoutSeconds: 5
  matchConditions:
  - name: label-touched
    expression: "(has(object.metadata.labels) && 'breakwater.io/admission' in object.metadata.labels) || (request.operation == 'UPDATE' && has(oldObject.metadata.labels) && 'breakwater.io/admission' in oldObject.metadata.labels)"
  namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: NotIn, values: [breakwater, kube-system]}]}
  rules: [{operations: [CREATE, UPDATE], apiGroups: [""], apiVersions: [v1], resources: [namespaces, namespaces/status, namespaces/finalize], scope: Cluster}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: namespaces}
rules: [{apiGroups: [""], resources: [namespaces, namespaces/status, namespaces/finalize], verbs: ["*"]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: namespaces}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: namespaces}
subjects: [{kind: Group, name: devs}, {kind: Group, name: platform}]
---
apiVersion: v1
kind: Namespace
metadata: {name: team-a}
---
apiVersion: v1
kind: Namespace
metadata: {name: build-7}
Y
config_map() { # NAME LABEL KEY=FILE…: a manifest
    local name=$1 label=$2 option options=()
    shift 2
    for option in "$@"; do options+=("--from-file=$option"); done
    k create configmap "$name" "${options[@]}" --dry-run=client -o yaml |
        k label -f - --local -o yaml "breakwater.io/bundle=$label"
}
apply() { config_map "${@:2}" | k apply ${1:+"$1"} -f - 2>&1; } # OPTION NAME LABEL KEY=FILE…

# a bundle with some of everything that one gets wrong
cat >"$BW_TMP/bad.yaml" <<'Y'
id: prod
version: "1_0"
colour: red
policies:
- id: base
  version: "1_0"
  rules:
  - {id: ssh, gate: dockerfile, trigger: exposed_prots, action: STOP, params: [{name: ports, value: "22"}, {name: type, value: denylist}]}
  - {id: root, gate: dockerfyle, trigger: effective_user, action: STOP, params: []}
  - {id: old, gate: dockerfile, trigger: exposed_ports, action: STOPP, params: [{name: ports, value: "23"}, {name: type, value: blacklist}]}
  - {id: run, gate: dockerfile, trigger: instruction, action: WARN, params: [{name: instruction, value: RUN}, {name: check, value: like}, {name: value, value: "curl ("}]}
whitelists: []
mappings:
- {id: all, name: all, registry: "*", repository: "*", image: {type: tag, value: "*"}, policy_id: bass, whitelist_ids: []}
Y
printf '{"id": "second",\n "version" "1_0"}' >"$BW_TMP/syntax.json"
sed 's/"id": "demo"/&,"colour":"red"/; 0,/"id":/s//"colour":"red","id":/' docs/examples/demo-bundle.json >"$BW_TMP/warned.json"

refused() { says 1 'is invalid' apply --dry-run=server prod active prod.yaml="$BW_TMP/bad.yaml" >"$BW_TMP/first" 2>&1; }
wait_for 20 refused || die "the API server does not ask: $(cat "$BW_TMP/first")"
apply "" prod active prod.yaml="$BW_TMP/bad.yaml" second.json="$BW_TMP/syntax.json" >"$BW_TMP/transcript" || true
shown() { grep -qF -- "$1" "$BW_TMP/transcript" || { cat "$BW_TMP/transcript" && return 1; }; }
check "a bad bundle is refused by kubectl apply" shown 'The ConfigMap "prod" is invalid:'
check "with a misspelt trigger" shown '* data[prod.yaml]:/policies/0/rules/0/trigger: the gate dockerfile has no trigger "exposed_prots" (did you mean exposed_ports?)'
check "a misspelt gate" shown '* data[prod.yaml]:/policies/0/rules/1/gate: there is no gate "dockerfyle" (did you mean dockerfile?)'
check "an action that is none" shown '* data[prod.yaml]:/policies/0/rules/2/action: "STOPP" is no action'
check "a pattern that is none" shown '* data[prod.yaml]:/policies/0/rules/3/'
check "a policy that is not there" shown '* data[prod.yaml]:/mappings/0/policy_id: there is no policy "bass"'
check "and the second bundle's syntax, with its place" shown '* data[second.json]: line 2 column '
check "its warnings come as well" shown 'Warning: breakwater: data[prod.yaml]:/colour: nothing is known under this name'
check "it was not stored" says 1 'NotFound' k get configmap prod
same_faults() { # as breakwater check says of the same file
    diff <(grep -F '* data[prod.yaml]:' "$BW_TMP/transcript" | sed 's/^\* data\[prod.yaml\]://') \
        <(bw check "$BW_TMP/bad.yaml" | sed -n 's/^[^ ]* error: //p')
}
check "breakwater check says the same" same_faults
check "so does a server-side dry run" says 1 'did you mean exposed_ports' apply --dry-run=server prod active prod.yaml="$BW_TMP/bad.yaml"
check "and server-side apply" says 1 'did you mean exposed_ports' apply --server-side prod active prod.yaml="$BW_TMP/bad.yaml"

check "a good one is applied, with its warnings" says 0 'Warning: breakwater: data\[prod.json\]:/colour: nothing is known' \
    apply "" prod active prod.json="$BW_TMP/warned.json"
check "and is there" says 0 '^active' k get configmap prod -o 'jsonpath={.metadata.labels.breakwater\.io/bundle}'
check "a dry run has them, too" says 0 'Warning: breakwater: data\[prod.json\]:/colour: nothing is known' \
    apply --dry-run=server other x prod.json="$BW_TMP/warned.json"
check "it is not replaced by a bad one" says 1 'is invalid' apply "" prod active prod.yaml="$BW_TMP/bad.yaml"
check "nor edited into one" says 1 'data\[new.json\]: ' k patch configmap prod -p '{"data":{"new.json":"{"}}'
check "the label is taken away: warned, not denied" says 0 'Warning: breakwater: this ConfigMap was labelled active.*' \
    k label configmap prod breakwater.io/bundle-
check "without it nobody asks" says 0 'patched' k patch configmap prod -p '{"data":{"new.json":"{"}}'
check "with it again it is looked at" says 1 'data\[new.json\]: ' k label configmap prod breakwater.io/bundle=active
k patch configmap prod -p '{"data":{"new.json":null}}' >/dev/null
k label configmap prod breakwater.io/bundle=active >/dev/null 2>&1
check "the default bundle is deleted: warned, not denied" says 0 'Warning: breakwater: this ConfigMap was labelled active' \
    k delete configmap prod

# bodies as large as they come: as YAML, since JSON of kubectl's is six times as long, and too long
token=$(k config view --raw -o jsonpath='{.users[0].user.token}')
server=$(k config view -o jsonpath='{.clusters[0].cluster.server}')
create_yaml() { # NAME FILE
    {
        printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s, labels: {breakwater.io/bundle: x}}\ndata:\n  %s.json: |\n' "$1" "$1"
        sed 's/^/    /' "$2"
    } >"$BW_TMP/$1.yaml"
    curl -s --cacert "$BW_TMP/cluster/ca.crt" -H "Authorization: Bearer $token" -H 'Content-Type: application/yaml' \
        -w '\nstatus %{http_code}\n' --data-binary "@$BW_TMP/$1.yaml" "$server/api/v1/namespaces/shop/configmaps" | cut -c1-400
}
/usr/bin/python3 -c 'print("<" * 1040000)' >"$BW_TMP/garbage.json"
check "1 MiB of garbage" says 0 'ConfigMap \\"garbage\\" is invalid|ConfigMap garbage is refused: 1 fault' create_yaml garbage "$BW_TMP/garbage.json"
/usr/bin/python3 -c 'import sys
text = open(sys.argv[1]).read().rstrip()
print(text[:-1] + ",\"comment\":\"" + "<" * 1000000 + "\"}")' docs/examples/demo-bundle.json >"$BW_TMP/large.json"
check "a bundle of 1 MB" says 0 'status 201' create_yaml large "$BW_TMP/large.json"
check "and its UPDATE, a body of 12 MB" says 0 'configmap/large labeled' k label configmap large more=labels
check "is answered in time" bash -c "! grep -qE 'context deadline exceeded|failed calling webhook' '$BW_TMP/cluster/api.log'"

jane() { k --as jane --as-group devs --as-group system:authenticated "$@"; }
joe() { k --as joe --as-group platform --as-group system:authenticated "$@"; }
check "the label that exempts is set by somebody: forbidden" says 1 \
    'Error from server \(Forbidden\): admission webhook "namespaces.breakwater.io" denied the request: jane may not set the label breakwater.io/admission of namespace team-a' \
    jane label namespace team-a breakwater.io/admission=ignore
check "the message says who may" says 1 'groups platform; anybody in the namespaces build-\*' \
    jane label namespace team-a breakwater.io/admission=ignore
check "nor through another door" says 1 'jane may not' jane patch namespace team-a --subresource=status --type=merge \
    -p '{"metadata":{"labels":{"breakwater.io/admission":"ignore"}}}'
printf 'apiVersion: v1\nkind: Namespace\nmetadata: {name: team-b, labels: {breakwater.io/admission: ignore}}\n' >"$BW_TMP/team-b.yaml"
check "nor on a new namespace" says 1 'jane may not' jane create -f "$BW_TMP/team-b.yaml"
check "a dry run says so, too" says 1 'jane may not' jane label namespace team-a breakwater.io/admission=ignore --dry-run=server
check "other labels are nobody's business" says 0 'labeled' jane label namespace team-a a=b
check "where exempt namespaces are" says 0 'labeled' jane label namespace build-7 breakwater.io/admission=ignore
check "an admin may" says 0 'labeled' joe label namespace team-a breakwater.io/admission=ignore
check "what is there does not stand in the way" says 0 'labeled' jane label namespace team-a c=d
check "it is changed by somebody: forbidden" says 1 'jane may not' jane label namespace team-a breakwater.io/admission=no --overwrite
check "and taken away by anybody" says 0 'unlabeled' jane label namespace team-a breakwater.io/admission-
check "a namespace with the label goes" says 0 'deleted' jane delete namespace build-7 --wait=false
check "to the end" wait_for 30 bash -c "! '$kubectl' get namespace build-7 2>/dev/null"
check "the audit log has the decisions" grep -q '"namespaces.breakwater.io/reason":"exemption_label"' "$BW_TMP/cluster/audit.log"
serve_stop serve
check "the server did not complain of itself" sound
done_testing
