#!/usr/bin/env bash
# Certificates that look after themselves: hooks of an installation, two replicas of which one leads, certificates and CA
# renewed in seconds while admissions go on, against a real API server with the rights of docs/certificates.md and no more.
# Lifetimes are settings; no clock is moved.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/integration/cluster.sh
. tests/integration/cluster.sh

filled_registry plain

cluster_begin
address=127.96.0.23 port=$(free_port 0)

# what a chart installs: the Service, the webhook configuration (without caBundle, open until somebody answers), two
# ServiceAccounts, of which the serving one may delete nothing
k apply -f - >"$BW_TMP/install.log" <<Y
apiVersion: v1
kind: Namespace
metadata: {name: breakwater}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Service
metadata: {name: breakwater, namespace: breakwater}
spec: {clusterIP: $address, ports: [{port: $port}]}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: breakwater, namespace: breakwater}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: hooks, namespace: breakwater}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: breakwater, namespace: breakwater}
rules:
- {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [create]}
- {apiGroups: [coordination.k8s.io], resources: [leases], resourceNames: [breakwater], verbs: [get, update]}
- {apiGroups: [""], resources: [secrets], verbs: [create]}
- {apiGroups: [""], resources: [secrets], resourceNames: [breakwater-tls], verbs: [get, update]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: hooks, namespace: breakwater}
rules:
- {apiGroups: [coordination.k8s.io], resources: [leases], resourceNames: [breakwater], verbs: [delete]}
- {apiGroups: [""], resources: [secrets], verbs: [create]}
- {apiGroups: [""], resources: [secrets], resourceNames: [breakwater-tls], verbs: [get, update, delete]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: breakwater}
rules:
- {apiGroups: [admissionregistration.k8s.io], resources: [validatingwebhookconfigurations], resourceNames: [breakwater],
   verbs: [get, patch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: hooks}
rules:
- {apiGroups: [admissionregistration.k8s.io], resources: [validatingwebhookconfigurations], resourceNames: [breakwater],
   verbs: [get, patch, delete]}
$(for name in breakwater hooks; do
    for kind in Role ClusterRole; do
        printf -- '---\napiVersion: rbac.authorization.k8s.io/v1\nkind: %sBinding\nmetadata: {name: %s, namespace: breakwater}\n' \
            "$kind" "$name"
        printf 'roleRef: {apiGroup: rbac.authorization.k8s.io, kind: %s, name: %s}\n' "$kind" "$name"
        printf 'subjects: [{kind: ServiceAccount, name: %s, namespace: breakwater}]\n' "$name"
    done
done)
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: breakwater, annotations: {breakwater.io/failure-policy: Fail}}
webhooks:
- name: pods.breakwater.io
  clientConfig: {service: {namespace: breakwater, name: breakwater, path: /validate, port: $port}}
  admissionReviewVersions: [v1]
  sideEffects: NoneOnDryRun
  failurePolicy: Ignore
  namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [shop]}]}
  rules: [{operations: [CREATE, UPDATE], apiGroups: [""], apiVersions: [v1], scope: Namespaced, resources: [pods]}]
- name: bundles.breakwater.io
  clientConfig: {service: {namespace: breakwater, name: breakwater, path: /validate-bundle, port: $port}}
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Ignore
  objectSelector: {matchExpressions: [{key: breakwater.io/bundle, operator: Exists}]}
  rules: [{operations: [CREATE], apiGroups: [""], apiVersions: [v1], scope: Namespaced, resources: [configmaps]}]
Y
for account in breakwater hooks; do
    mkdir -p "$BW_TMP/$account-account"
    k -n breakwater create token "$account" --duration=1h >"$BW_TMP/$account-account/token"
    cp "$BW_TMP/cluster/ca.crt" "$BW_TMP/$account-account/ca.crt"
    printf breakwater >"$BW_TMP/$account-account/namespace"
    sed "s/token: [^}]*/token: $(cat "$BW_TMP/$account-account/token")/; s/cluster: test, user/namespace: breakwater, &/" \
        "$KUBECONFIG" >"$BW_TMP/$account-account/kubeconfig"
done
server=$(k config view -o jsonpath='{.clusters[0].cluster.server}')
server=${server#https://}
export KUBERNETES_SERVICE_HOST=${server%:*} KUBERNETES_SERVICE_PORT=${server##*:} BREAKWATER_SERVICE_HOST=$address

webhook() { k get validatingwebhookconfiguration breakwater -o jsonpath="$1"; }
policy_is() { [ "$(webhook '{.webhooks[0].failurePolicy}')" = "$1" ]; }
secret() { k -n breakwater get secret breakwater-tls -o jsonpath="{.data.$1}"; }
cas() { base64 -d <<<"$1" | grep -c 'BEGIN CERTIFICATE'; }
trusted() { # by every entry, and what the Secret says
    local bundles
    bundles=$(webhook '{range .webhooks[*]}{.clientConfig.caBundle}{"\n"}{end}' | sort -u)
    [ -n "$bundles" ] && [ "$bundles" = "$(secret 'ca\.crt')" ]
}
run_in_background() { # NAME COMMAND…
    local name=$1
    shift
    setsid "$@" >"$BW_TMP/$name.log" 2>&1 </dev/null &
    echo $! >"$BW_TMP/$name.pid"
    on_exit stop_pid_file "$BW_TMP/$name.pid"
}
certs() { # by the hooks' ServiceAccount
    bw certs --kubeconfig "$BW_TMP/hooks-account/kubeconfig" --secret breakwater/breakwater-tls --service breakwater --lifetime 45s --ca-lifetime 75s "$@"
}

# before the installation, and right after it while nobody serves yet
check "the first hook makes CA and certificate" says 0 'made a CA and a serving certificate' certs
quiet() { [ -z "$("$@")" ]; }
check "and leaves them when it runs again" quiet certs
check "it is for all names of the Service" says 0 \
    'DNS:breakwater.breakwater.svc, DNS:breakwater, DNS:breakwater.breakwater, DNS:breakwater.breakwater.svc.cluster.local' \
    bash -c "'$kubectl' -n breakwater get secret breakwater-tls -o jsonpath='{.data.tls\.crt}' | base64 -d | openssl x509 -noout -ext subjectAltName"
check "while nobody answers, the second hook gives up in time" says 2 'does not answer yet' certs --webhook breakwater --timeout 1s
check "but every entry trusts the CA" trusted
check "and the webhook is not in force" policy_is Ignore

# two replicas, with the Secret as the kubelet mounts it
run_in_background mount tests/integration/node.py mount "$KUBECONFIG" breakwater breakwater-tls "$BW_TMP/mounted"
run_in_background proxy tests/integration/node.py proxy "$address:$port" "$BW_TMP/a" "$BW_TMP/b"
wait_for 20 test -s "$BW_TMP/mounted/tls.key" || die "the Secret was not mounted: $(cat "$BW_TMP/mount.log")"
for name in a b; do
    mkdir -p "$BW_TMP/$name/bundles"
    cp docs/examples/demo-bundle.json "$BW_TMP/$name/bundles/demo.json"
    cat >"$BW_TMP/$name/config.yaml" <<Y
server: {listen: "127.0.0.1:0", healthListen: "127.0.0.1:0", metricsListen: "127.0.0.1:0"}
tls: {certFile: $BW_TMP/mounted/tls.crt, keyFile: $BW_TMP/mounted/tls.key}
kubernetes: {pullSecrets: never, serviceAccountDir: $BW_TMP/breakwater-account}
bundles: {dir: $BW_TMP/$name/bundles, configMaps: never}
certs: {mode: selfSigned, leafLifetime: 45s, caLifetime: 75s, caWait: 8s, caOverlap: 10s, checkInterval: 2s}
registry: {allowAddresses: [127.0.0.0/8], hosts: {"$host": {plainHTTP: true}}}
defaultPlatforms: [linux/amd64]
shutdown: {delay: 0s}
Y
    serve_again "$name"
done
metric() { curl -sf "$(cat "$BW_TMP/$1/metrics")/metrics" | sed -n "s/^$2 //p"; }
leads() { [ "$(metric "$1" breakwater_leader)" = 1 ]; }
one_leads() { [ "$(metric a breakwater_leader)$(metric b breakwater_leader)" = 01 ] || { leads a && ! leads b; }; }
check "one of two leads" wait_for 20 one_leads
check "the webhook is in force, as the annotation says, now that it answers" wait_for 30 policy_is Fail
check "and the second hook has nothing more to wait for" certs --webhook breakwater --timeout 20s

# admissions go on while certificates and CA are exchanged
first_ca=$(secret 'ca\.crt')
run_in_background shakes tests/integration/node.py shakes "$KUBECONFIG" breakwater "$BW_TMP/shakes" "$BW_TMP/a" "$BW_TMP/b"
run_in_background admits tests/integration/node.py admits "$KUBECONFIG" "$BW_TMP/admits" "$host/shop/hello:1.0"
renewed() { [ "$(cut -d' ' -f3 "$BW_TMP/shakes")" -ge 3 ]; }
ca_exchanged() {
    local now
    now=$(secret 'ca\.crt')
    [ "$(base64 -d <<<"$now" | grep -c 'BEGIN CERTIFICATE')" = 1 ] && [ "$now" != "$first_ca" ] && trusted
}
check "the CA is exchanged" wait_for 200 ca_exchanged
check "the serving certificate was renewed twice meanwhile, and is served" wait_for 100 renewed
for name in admits shakes; do stop_pid_file "$BW_TMP/$name.pid"; done
check "no admission failed" grep -E '^[1-9][0-9]+ 0 $' "$BW_TMP/admits"
check "no handshake failed, not even with the caBundle of a second ago" grep -E '^[1-9][0-9]+ 0 [0-9]+ $' "$BW_TMP/shakes"
in_order() { # the log's lines of one exchange
    cat "$BW_TMP/a/log" "$BW_TMP/b/log" | grep -oE 'made a new CA|trusts the new CA|certificate of the new CA|no longer trusted' |
        head -n 4 | paste -sd, | grep -x 'made a new CA,trusts the new CA,certificate of the new CA,no longer trusted'
}
check "the order was: both CAs trusted, a wait, the certificate, the old CA dropped" in_order

# what others do to the webhook configuration
generation=$(webhook '{.metadata.generation}')
check "somebody takes the caBundle away" k patch validatingwebhookconfiguration breakwater --type=json -p \
    '[{"op":"remove","path":"/webhooks/0/clientConfig/caBundle"},{"op":"remove","path":"/webhooks/1/clientConfig/caBundle"}]'
healed() { [ "$(webhook '{.metadata.generation}')" -ge $((generation + 2)) ] && trusted; }
check "and it is put back" wait_for 30 healed
# shellcheck disable=SC2016
check "other entries and what they say are as they were" says 0 '^/validate /validate-bundle$' \
    webhook '{.webhooks[*].clientConfig.service.path}'

# the leader is killed, another leads; the leader ends in order, another leads at once
leader=a other=b
leads a || leader=b other=a
disown "$(cat "$BW_TMP/$leader/pid")"
kill -KILL "$(cat "$BW_TMP/$leader/pid")"
check "the leader is killed: the other leads when the lease has ended" wait_for 60 leads "$other"
before=$(secret 'tls\.crt')
newer() { [ "$(secret 'tls\.crt')" != "$before" ]; }
check "and renews the certificate" wait_for 100 newer
check "the lease says how often it changed hands" says 0 '^1$' \
    k -n breakwater get lease breakwater -o jsonpath='{.spec.leaseTransitions}'
serve_again "$leader"
holder=$(k -n breakwater get lease breakwater -o jsonpath='{.spec.holderIdentity}')
serve_stop "$other"
check "the leader gives the lease back when it ends" bash -c "[ '$holder' != \"\$('$kubectl' -n breakwater get lease breakwater \
    -o jsonpath='{.spec.holderIdentity}')\" ]"
check "and the other leads again" wait_for 20 leads "$leader"

refused() { # what the API server refused of what certificates need
    {
        grep -h forbidden "$BW_TMP/a/log" "$BW_TMP/b/log"
        grep '"user":{"username":"system:serviceaccount:breakwater:breakwater"' "$BW_TMP/cluster/audit.log" | grep '"code":403'
    } | grep -E 'secrets|leases|validatingwebhookconfigurations'
}
check "nothing more than these rights was asked for" says 1 '' refused

# the end: first the webhook configuration
uninstall() { bw uninstall --webhook breakwater --secret breakwater/breakwater-tls --lease breakwater "$@"; }
check "the serving ServiceAccount may not take itself out of the way" says 2 'forbidden' \
    uninstall --kubeconfig "$BW_TMP/breakwater-account/kubeconfig"
check "so nothing is gone" policy_is Fail
serve_stop "$leader"
check "the hook of the end deletes what was made" says 0 'lease breakwater deleted' uninstall --kubeconfig "$BW_TMP/hooks-account/kubeconfig"
deleted() {
    grep '"verb":"delete"' "$BW_TMP/cluster/audit.log" | grep serviceaccount:breakwater:hooks |
        grep -oE '"resource":"[a-z]+"' | cut -d'"' -f4 | paste -sd,
}
check "the webhook configuration first" says 0 '^validatingwebhookconfigurations,secrets,leases$' deleted
check "and nothing is wrong when it runs again" says 0 'secret breakwater/breakwater-tls is not there' \
    uninstall --kubeconfig "$BW_TMP/hooks-account/kubeconfig"
check "pods are created as if it had never been there" says 0 'created' k -n shop run free --image=nowhere.invalid/x:1 --dry-run=server
check "nothing is wrong inside" sound
done_testing
