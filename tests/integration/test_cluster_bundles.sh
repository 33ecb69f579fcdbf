#!/usr/bin/env bash
# Bundles in ConfigMaps of a real API server: who decides, what an edit changes and what a fault does not, what the
# Events say; with the rights of a ServiceAccount and no more.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/integration/cluster.sh
. tests/integration/cluster.sh

filled_registry plain

cluster_begin
kb() { k -n breakwater "$@"; }

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
kind: Role
metadata: {name: breakwater, namespace: breakwater}
rules:
- {apiGroups: [""], resources: [configmaps], verbs: [get, list, watch]}
- {apiGroups: [events.k8s.io], resources: [events], verbs: [create, patch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: breakwater, namespace: breakwater}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: breakwater}
subjects: [{kind: ServiceAccount, name: breakwater, namespace: breakwater}]
---
apiVersion: v1
kind: Namespace
metadata: {name: team-a}
Y
may() { wait_for 30 k auth can-i list configmaps "$@" --as=system:serviceaccount:breakwater:breakwater; }
may -n breakwater
account=$BW_TMP/account
account_begin

webhook_at 127.96.0.25
settings() { # NAME [MORE KEYS OF bundles]: no folder of bundles is there
    mkdir -p "$BW_TMP/$1"
    cat >"$BW_TMP/$1/config.yaml" <<Y
server: {listen: "127.0.0.1:0", healthListen: "127.0.0.1:0", metricsListen: "127.0.0.1:0"}
tls: {certFile: $BW_TMP/certs/tls.crt, keyFile: $BW_TMP/certs/tls.key}
kubernetes: {pullSecrets: never, nodes: never, serviceAccountDir: $account}
bundles: {dir: $BW_TMP/$1/bundles${2:+, $2}}
registry:
  allowAddresses: [127.0.0.0/8]
  hosts: {"$host": {plainHTTP: true}}
defaultPlatforms: [linux/amd64]
shutdown: {delay: 0s}
Y
}
log=$BW_TMP/serve/log
settings serve
in_pod serve_again serve --listen "$webhook"
metrics=$(cat "$BW_TMP/serve/metrics")
tests/cluster/register "$webhook" "$BW_TMP/certs/ca.crt" 10 >"$BW_TMP/register.log" 2>&1

bundle() { # ID [ACTION]: says of every image who decides
    cat <<Y
{"id": "$1", "version": "1_0", "whitelists": [],
 "policies": [{"id": "p", "version": "1_0", "rules":
   [{"id": "r", "gate": "always", "trigger": "always", "action": "${2:-WARN}", "comment": "decided by $1", "params": []}]}],
 "mappings": [{"registry": "*", "repository": "*", "image": {"type": "tag", "value": "*"}, "policy_ids": ["p"],
   "whitelist_ids": []}]}
Y
}
put() { # NAMESPACE NAME LABEL KEY: a ConfigMap with what stands on standard input
    k -n "$1" create configmap "$2" --from-file="$4=/dev/stdin" --dry-run=client -o yaml | k -n "$1" apply -f - &&
        k -n "$1" label --overwrite configmap "$2" breakwater.io/bundle="$3"
}
ask() { k run asked --image="$host/shop/hello:1.0" --dry-run=server 2>&1; }
decides() { says 0 "decided by $1" ask; }
refuses() { says 1 "STOP decided by $1" ask; }
nobody_decides() { says 1 'no policy bundle is in force' ask; }
scrape() { curl -sf "$metrics/metrics"; }
valid() { # ID ORIGIN VALUE
    grep -qxF "breakwater_bundle_valid{bundle=\"$1\",origin=\"configmap breakwater/$2\"} $3" <<<"$(scrape)"
}
gone() { ! grep -qF "origin=\"configmap breakwater/$1[" <<<"$(scrape)"; }
logged() { grep -qE "$1" "$log"; }
event() { # NAME PATTERN: an Event on that ConfigMap, as kubectl describe has it
    says 0 "$2" kb describe configmap "$1"
}
soon() { # COMMAND…: within the time of a slow machine
    wait_for 60 "$@" || {
        "$@" || true
        tail -n 5 "$log"
        return 1
    }
}

# ---- none, one, several ----
check "without any bundle it is ready, and refuses with the reason" nobody_decides
bundle one | put breakwater one true prod.json >/dev/null
check "a ConfigMap is applied: its bundle decides" soon decides one
check "which an Event on it says" soon event one 'Normal +BundleLoaded.*prod.json: bundle one is in force'
check "and metrics" valid one 'one[prod.json]' 1
bundle two | put breakwater two true two.json >/dev/null
check "of two none is the default" soon nobody_decides
kb label --overwrite configmap two breakwater.io/bundle=active >/dev/null
check "the one labelled active is" soon decides two
kb label --overwrite configmap one breakwater.io/bundle=active >/dev/null
check "both labelled: the log says that none of them is" soon logged 'several ConfigMaps are labelled active'
check "so do their Events" soon event one 'Warning +BundleInvalid.*several ConfigMaps are labelled active'
check "the last default stays" decides two
kb label --overwrite configmap two breakwater.io/bundle=true >/dev/null
check "one labelled: it decides" soon decides one

# ---- edits ----
bundle one STOP | put breakwater one active prod.json >/dev/null
check "an edited bundle refuses" soon refuses one
bundle one | sed 's/"always", "action"/"allways", "action"/' | put breakwater one active prod.json >/dev/null
check "a fault is logged with its place" soon logged \
    '"bundle problem","origin":"configmap breakwater/one\[prod.json\]","line":3,.*"path":"/policies/0/rules/0/trigger"'
check "and told by an Event" soon event one 'Warning +BundleInvalid.*the last good content stays in force: line 3, column [0-9]+: /policies/0/rules/0/trigger: .*did you mean "always"'
check "and counted" valid one 'one[prod.json]' 0
check "the last good content decides" refuses one
bundle one | put breakwater one active prod.json >/dev/null
check "mended, it is in force" soon valid one 'one[prod.json]' 1

# ---- YAML, and packed ----
packed() { # KEY MODE: the bundle on standard input as a ConfigMap's binaryData
    /usr/bin/python3 -c '
import base64, gzip, json, struct, sys
text = sys.stdin.buffer.read()
if sys.argv[2] == "gz":
    text = gzip.compress(text)
elif sys.argv[2] == "zst":  # one raw block
    text = b"\x28\xb5\x2f\xfd\xa0" + struct.pack("<I", len(text)) + struct.pack("<I", len(text) << 3 | 1)[:3] + text
elif sys.argv[2] == "bomb":
    text = gzip.compress(b" " * (100 << 20), 9)
print(json.dumps({"apiVersion": "v1", "kind": "ConfigMap",
                  "metadata": {"name": sys.argv[2], "namespace": "breakwater", "labels": {"breakwater.io/bundle": "active"}},
                  "binaryData": {sys.argv[1]: base64.b64encode(text).decode()}}))' "$1" "$2"
}
alone() { kb label --overwrite configmap -l 'breakwater.io/bundle=active' breakwater.io/bundle=true >/dev/null; }
alone
bundle yaml | /usr/bin/python3 -c 'import json, sys; d = json.load(sys.stdin); print("# policies\nid: yaml\n" + "\n".join(json.dumps(k) + ": " + json.dumps(v) for k, v in d.items() if k != "id"))' |
    put breakwater yaml active policy.yaml >/dev/null
check "YAML" soon decides yaml
alone
bundle gz | packed a.json.gz gz | kb apply -f - >/dev/null
check "gzip in binaryData" soon decides gz
alone
bundle zst | packed a.json.zst zst | kb apply -f - >/dev/null
check "zstd in binaryData" soon decides zst
packed a.json.gz bomb </dev/null | sed 's/"active"/"true"/' | kb apply -f - >/dev/null
check "a gzip bomb is that ConfigMap's own fault" soon event bomb 'Warning +BundleInvalid.*larger than [0-9]+ bytes once decompressed'
check "nothing else suffers" decides zst

# ---- who has an id ----
sleep 1 # an API server tells ages in whole seconds, and of one age the name decides
bundle zst STOP | put breakwater later true a.json >/dev/null
check "an id that is taken stays with the older ConfigMap" soon event later \
    'Warning +BundleInvalid.*the id zst is that of configmap breakwater/zst\[a.json.zst\]'
check "which goes on to decide" decides zst
kb label configmap zst breakwater.io/bundle- >/dev/null
kb label --overwrite configmap later breakwater.io/bundle=active >/dev/null
check "the label is taken away: the other one has the id" soon refuses zst
kb delete configmap later >/dev/null
check "the ConfigMap is deleted: its bundle is gone" soon gone later
kb label --overwrite configmap one breakwater.io/bundle=active >/dev/null
check "what is labelled active then decides" soon decides one

kb patch configmap one -p '{"data": {"README": "what it is for"}}' >/dev/null
check "a key that is no bundle is passed over, and the log says so" soon logged 'keys of a bundle ConfigMap are not read.*"first":"README"'

# ---- on trial ----
bundle one STOP | put breakwater one active prod.json >/dev/null
check "it refuses" soon refuses one
kb annotate configmap one breakwater.io/mode=warn >/dev/null
check "annotated with mode: warn it only says what it would refuse" soon says 0 'would deny: .*decided by one' ask
kb annotate configmap one breakwater.io/mode- >/dev/null
check "and refuses again without" soon refuses one

# ---- large ----
{
    bundle large | sed '$ d' # without the last line, which ends the document
    printf ' "whitelist_ids": []}], "comment": "'
    head -c 900000 /dev/zero | tr '\0' x
    printf '"}\n'
} >"$BW_TMP/large.json"
kb create configmap large --from-file="$BW_TMP/large.json" --dry-run=client -o yaml |
    sed 's/^  name: large/&\n  labels: {breakwater.io\/bundle: "true"}/' >"$BW_TMP/large.yaml"
check "900 KiB are too much for kubectl apply" says 1 'Too long' kb apply -f "$BW_TMP/large.yaml"
check "apply --server-side takes them" says 0 'serverside-applied' kb apply --server-side -f "$BW_TMP/large.yaml"
check "and they are loaded" soon valid large 'large[large.json]' 1
head -c 720000 /dev/urandom | base64 -w0 >"$BW_TMP/garbage.json"
kb create configmap garbage --from-file="$BW_TMP/garbage.json" >/dev/null
kb label configmap garbage breakwater.io/bundle=true >/dev/null
check "1 MB of garbage is refused" soon event garbage 'Warning +BundleInvalid'
for i in $(seq -w 200); do
    printf -- '---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: copy-%s, namespace: breakwater, labels: {breakwater.io/bundle: "true"}}\ndata:\n  a.json: |\n' "$i"
    bundle copied STOP | sed 's/^/    /'
done >"$BW_TMP/copies.yaml"
kb create -f "$BW_TMP/copies.yaml" >/dev/null
copies() { grep -cE "^breakwater_bundle_valid\{.*configmap breakwater/copy-.*$1" <<<"$(scrape)"; }
all_copies() { [ "$(copies '')" = 200 ]; }
check "200 ConfigMaps of one id" soon all_copies
check "are one bundle" test "$(copies ' 1$')" = 1
check "and change nothing for others" refuses one
kb delete -f "$BW_TMP/copies.yaml" --wait=false >/dev/null

# ---- other namespaces ----
bundle one STOP | put team-a theirs active a.json >/dev/null
bundle theirs STOP | put team-a more true b.json >/dev/null
settings wide 'namespaces: [team-a]'
in_pod serve_again wide
check "a namespace that may not be read is named" soon grep -q 'not followed.*configmaps.*team-a' "$BW_TMP/wide/log"
check "what it holds is not in force, the own namespace's is" says 0 'STOP decided by one' review wide pod-create image="$host/shop/hello:1.0"
k -n team-a create role bundles --verb=get,list,watch --resource=configmaps >/dev/null
k -n team-a create rolebinding bundles --role=bundles --serviceaccount=breakwater:breakwater >/dev/null
may -n team-a
check "with the right to it, an id of the own namespace is not for taking" soon grep -q \
    'its id is taken.*configmap team-a/theirs.*"taken_by":"configmap breakwater/one' "$BW_TMP/wide/log"
check "other ids are" soon grep -q '"bundle loaded".*configmap team-a/more' "$BW_TMP/wide/log"
serve_stop wide
settings everywhere 'namespaces: ["*"]'
k create clusterrole bundles --verb=get,list,watch --resource=configmaps >/dev/null
k create clusterrolebinding bundles --clusterrole=bundles --serviceaccount=breakwater:breakwater >/dev/null
may -A
in_pod serve_again everywhere
check "all namespaces by one watch" soon grep -q '"bundle loaded".*configmap team-a/more' "$BW_TMP/everywhere/log"
serve_stop everywhere

check "nothing was asked that it may not" bash -c "! grep forbidden '$log'"

# ---- the API server goes and comes back, while admissions go on ----
judged() { review serve pod-create image="$host/shop/hello:1.0" | grep 'STOP decided by one' >/dev/null; }
keep_asking() {
    while [ ! -e "$BW_TMP/enough" ]; do
        if judged; then echo yes; else echo no; fi >>"$BW_TMP/answers"
    done
}
answers() { [ "$(wc -l <"$BW_TMP/answers")" -ge "$1" ]; }
on_exit touch "$BW_TMP/enough"
keep_asking 2>/dev/null &
asking=$!
tests/cluster/stop "$BW_TMP/cluster"
check "without the API server the bundles stay" judged
tests/cluster/start "$BW_TMP/cluster"
k config set-context --current --namespace=shop >/dev/null
wait_for 60 answers $(($(wc -l <"$BW_TMP/answers") + 3))
touch "$BW_TMP/enough"
wait "$asking"
check "every admission meanwhile was judged by them" bash -c "! grep -vx yes '$BW_TMP/answers'"
bundle one | put breakwater one active prod.json >/dev/null
check "and an edit is seen" soon decides one

check "no token is in the log" bash -c "! grep -qF \"\$(cat '$account/token')\" '$log'"
check "nothing is wrong inside" sound
done_testing
