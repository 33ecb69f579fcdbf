# shellcheck shell=bash
# What the scripts test_cluster*.sh share besides rig.sh, which this sources.
#
#   filled_registry MODE     a real registry with the images of tests/images/list, in $BW_TMP/MODE; $host names it
#   cluster_begin            a real API server with its controllers, in $BW_TMP/cluster, until the script ends; $kubectl
#   k …                      kubectl as its administrator, with a time limit
#   account_begin            the ServiceAccount breakwater of the namespace breakwater, as a pod would have it mounted, in
#                            $BW_TMP/account; the roles are the script's
#   secret_reader            that account with roles: ServiceAccounts everywhere, Secrets of the namespace shop alone
#   in_pod COMMAND…          with the variables by which a pod finds its API server
#   webhook_at ADDRESS       $webhook is a free port of that ClusterIP-to-be, and $BW_TMP/certs a certificate for it

# shellcheck source=tests/integration/rig.sh
. tests/integration/rig.sh

filled_registry() {
    layout=$(tests/images/make)
    registry_start "$BW_TMP/$1" "$1"
    registry_push "$BW_TMP/$1" "$layout" >"$BW_TMP/push.log" 2>&1
    # shellcheck disable=SC2034 # for the script
    host=$(registry_host "$BW_TMP/$1")
}

k() { timeout -k 5 90 "$kubectl" "$@"; }
cluster_begin() {
    kubectl=$(tests/cluster/kubectl)
    on_exit tests/cluster/stop "$BW_TMP/cluster"
    tests/cluster/start "$BW_TMP/cluster"
    export KUBECONFIG=$BW_TMP/cluster/kubeconfig
}

account_begin() {
    mkdir -p "$BW_TMP/account"
    k -n breakwater create token breakwater --duration=2h >"$BW_TMP/account/token"
    cp "$BW_TMP/cluster/ca.crt" "$BW_TMP/account/ca.crt"
    printf breakwater >"$BW_TMP/account/namespace"
}
in_pod() {
    local server
    server=$(k config view -o jsonpath='{.clusters[0].cluster.server}')
    server=${server#https://}
    KUBERNETES_SERVICE_HOST=${server%:*} KUBERNETES_SERVICE_PORT=${server##*:} "$@"
}
secret_reader() {
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
kind: ClusterRole
metadata: {name: breakwater-accounts}
rules: [{apiGroups: [""], resources: [serviceaccounts], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: breakwater-accounts}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: breakwater-accounts}
subjects: [{kind: ServiceAccount, name: breakwater, namespace: breakwater}]
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: breakwater-secrets, namespace: shop}
rules: [{apiGroups: [""], resources: [secrets], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: breakwater-secrets, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: breakwater-secrets}
subjects: [{kind: ServiceAccount, name: breakwater, namespace: breakwater}]
---
apiVersion: v1
kind: Namespace
metadata: {name: closed}
Y
    account_begin
}

webhook_at() {
    # shellcheck disable=SC2034
    webhook=$1:$(free_port 0)
    bw certs --out "$BW_TMP/certs" --dns breakwater.breakwater.svc --ip "$1" --ip 127.0.0.1 >/dev/null
}
