#!/usr/bin/env bash
# Outside a cluster: `breakwater check --cluster` asks a real API server, as whom and where a kubeconfig says: tokens, client
# certificates, programs that give credentials. What it shows to the server is printed nowhere.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/integration/cluster.sh
. tests/integration/cluster.sh

cluster_begin
admin=$KUBECONFIG
k() { timeout -k 5 90 "$kubectl" --kubeconfig "$admin" "$@"; }
server=$(k config view -o jsonpath='{.clusters[0].cluster.server}')
unset KUBECONFIG

# ann may list ConfigMaps, by a certificate; robot too, a ServiceAccount with a token; eve may nothing
cat >"$BW_TMP/objects.yaml" <<'Y'
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Namespace
metadata: {name: empty}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: robot, namespace: shop}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: eve, namespace: shop}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: bundles}
rules: [{apiGroups: [""], resources: [configmaps], verbs: [list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: bundles}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: bundles}
subjects:
- {kind: User, name: ann, apiGroup: rbac.authorization.k8s.io}
- {kind: ServiceAccount, name: robot, namespace: shop}
Y
k apply -f "$BW_TMP/objects.yaml" >"$BW_TMP/objects.log"
bundle_map() { # NAMESPACE NAME FILE
    k -n "$1" create configmap "$2" --from-file="$2.json=$3" >/dev/null
    k -n "$1" label configmap "$2" breakwater.io/bundle=yes >/dev/null
}
bundle_map shop prod docs/examples/demo-bundle.json
sed 's/"effective_user"/"efective_user"/' docs/examples/demo-bundle.json >"$BW_TMP/bad.json"
bundle_map default staging "$BW_TMP/bad.json"
k -n shop create configmap other --from-literal=x=y >/dev/null

robot=$(k -n shop create token robot --duration=1h)
eve=$(k -n shop create token eve --duration=1h)
mkdir -p "$BW_TMP/kube/pki"
cp "$BW_TMP/cluster/ca.crt" "$BW_TMP/kube/pki/ca.crt"
printf '%s\n' "$robot" >"$BW_TMP/kube/token"
new_key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
{
    openssl req "${new_key[@]}" -subj /O=team/CN=ann -keyout "$BW_TMP/kube/pki/ann.key" -out "$BW_TMP/ann.csr"
    openssl x509 -req -in "$BW_TMP/ann.csr" -CA "$BW_TMP/cluster/ca.crt" -CAkey "$BW_TMP/cluster/ca.key" -CAcreateserial \
        -days 1 -out "$BW_TMP/kube/pki/ann.crt" -extfile <(printf 'extendedKeyUsage=clientAuth\n')
    openssl req -x509 "${new_key[@]}" -days 1 -subj /CN=another -keyout "$BW_TMP/other.key" -out "$BW_TMP/kube/pki/other.crt"
} 2>"$BW_TMP/openssl.log"

# programs that give credentials; each run leaves a line behind, told apart by their first argument
cat >"$BW_TMP/kube/login" <<'S'
#!/bin/bash
set -eu
cd "$(dirname "$0")"
echo "$KUBERNETES_EXEC_INFO" >>"runs-$1"
n=$(wc -l <"runs-$1") status=
json() { /usr/bin/python3 -c 'import json, sys; print(json.dumps(open(sys.argv[1]).read()))' "$1"; }
token=$(cat token)
case $1 in
good) status='"token":"'$token'","expirationTimestamp":"2099-01-01T00:00:00Z"' ;;
expired) status='"token":"'$token'","expirationTimestamp":"2001-01-01T00:00:00Z"' ;;
refused) if [ "$n" = 1 ]; then status='"token":"s3cret-stale"'; else status='"token":"'$token'"'; fi ;;
certificate) status='"clientCertificateData":'$(json pki/ann.crt)',"clientKeyData":'$(json pki/ann.key) ;;
garbage) echo "$token" && exit 0 ;;
failing) exit 7 ;;
esac
printf '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/%s","status":{%s}}' "${2:-v1}" "$status"
S
chmod +x "$BW_TMP/kube/login"
runs() { wc -l <"$BW_TMP/kube/runs-$1"; }

plugin() { # ARGUMENT: the exec of a user
    printf 'exec: {apiVersion: client.authentication.k8s.io/v1, command: ./login, args: [%s], interactiveMode: Never, %s}' \
        "$1" 'provideClusterInfo: true, installHint: get login from the platform team'
}
cat >"$BW_TMP/kube/config" <<Y
apiVersion: v1
kind: Config
current-context: robot
contexts:
$(for user in robot file ann data eve stranger nobody good expired refused certificate garbage failing missing beta; do
    printf -- '- {name: %s, context: {cluster: files, user: %s, namespace: shop}}\n' "$user" "$user"
done)
- {name: everyday, context: {cluster: data, user: robot}}
- {name: untrusted, context: {cluster: untrusted, user: robot}}
- {name: system, context: {cluster: system, user: robot}}
- {name: insecure, context: {cluster: insecure, user: robot, namespace: shop}}
- {name: renamed, context: {cluster: renamed, user: robot, namespace: shop}}
- {name: misnamed, context: {cluster: misnamed, user: robot}}
- {name: proxied, context: {cluster: proxied, user: robot}}
- {name: plain, context: {cluster: plain, user: robot}}
clusters:
- {name: files, cluster: {server: "$server", certificate-authority: pki/ca.crt}}
- {name: data, cluster: {server: "$server", certificate-authority-data: $(base64 -w0 "$BW_TMP/cluster/ca.crt")}}
- {name: untrusted, cluster: {server: "$server", certificate-authority: pki/other.crt}}
- {name: system, cluster: {server: "$server"}}
- {name: insecure, cluster: {server: "$server", insecure-skip-tls-verify: true}}
- {name: renamed, cluster: {server: "$server", certificate-authority: pki/ca.crt, tls-server-name: kubernetes.default.svc}}
- {name: misnamed, cluster: {server: "$server", certificate-authority: pki/ca.crt, tls-server-name: elsewhere.example}}
- {name: proxied, cluster: {server: "$server", certificate-authority: pki/ca.crt, proxy-url: "http://ann:s3cret-proxy@127.0.0.1:1"}}
- {name: plain, cluster: {server: "http://${server#https://}"}}
users:
- {name: robot, user: {token: "$robot"}}
- {name: file, user: {tokenFile: token}}
- {name: ann, user: {client-certificate: pki/ann.crt, client-key: pki/ann.key}}
- {name: data, user: {client-certificate-data: $(base64 -w0 "$BW_TMP/kube/pki/ann.crt"), client-key-data: $(base64 -w0 "$BW_TMP/kube/pki/ann.key")}}
- {name: eve, user: {token: "$eve"}}
- {name: stranger, user: {token: s3cret-token}}
- {name: nobody, user: {username: bob, password: s3cret-password}}
$(for user in good expired refused certificate garbage failing; do
    printf -- '- {name: %s, user: {%s}}\n' "$user" "$(plugin "$user")"
done)
- {name: missing, user: {$(plugin x | sed 's|./login|breakwater-no-such-login|')}}
- name: beta
  user: {exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: ./login, args: [good, v1beta1]}}
Y

seen=$BW_TMP/seen # all that is printed
: >"$seen"
in_cluster() { # CONTEXT [more options]
    local context=$1 status=0
    shift
    bw check --cluster --kubeconfig "$BW_TMP/kube/config" --context "$context" "$@" 2>&1 | tee -a "$seen" || status=$?
    return "$status"
}
good='namespace shop: ConfigMap prod data\[prod.json\]: 0 errors'

check "a token" says 0 "$good" in_cluster robot
check "a token in a file beside the kubeconfig" says 0 "$good" in_cluster file
check "a client certificate in files" says 0 "$good" in_cluster ann
check "a client certificate in the kubeconfig itself" says 0 "$good" in_cluster data
check "somebody who may not list ConfigMaps" says 2 '403.*cannot list resource "configmaps"' in_cluster eve
check "a token that the server does not know" says 2 '401: Unauthorized' in_cluster stranger
check "a password is shown to a server, which need not look at it" says 2 '403.*system:anonymous' in_cluster nobody

check "a bundle with a fault, with place and suggestion" says 1 \
    'namespace default: ConfigMap staging data\[staging.json\]:[0-9]+:[0-9]+: error: .*effective_user' in_cluster everyday
check "the context's namespace is the one that is asked" says 0 "$good" in_cluster robot
check "another namespace" says 1 'namespace default: ConfigMap staging' in_cluster robot --namespace default
check "all namespaces: the good one" says 1 "$good" in_cluster robot --all-namespaces
check "all namespaces: the bad one" says 1 'namespace default: ConfigMap staging' in_cluster robot --all-namespaces
check "as JSON" says 1 '"file": "namespace default: ConfigMap staging' in_cluster everyday --output json
check "beside a file" says 1 'bad.json:[0-9]+:[0-9]+: error' in_cluster robot "$BW_TMP/bad.json"
check "a namespace without bundles" says 2 'namespace empty: no ConfigMap has the label' in_cluster robot --namespace empty
check "what is no namespace" says 2 'no name of a namespace' in_cluster robot --namespace ../default
check "a namespace or all, not both" says 2 'exclude each other' in_cluster robot --namespace a --all-namespaces

check "another CA is not believed" says 2 'certificate signed by an unknown CA' in_cluster untrusted
check "nor are the system's" says 2 'certificate signed by an unknown CA' in_cluster system
check "unless verification is off" says 0 "$good" in_cluster insecure
check "the name in the certificate as tls-server-name says" says 0 "$good" in_cluster renamed
check "another name" says 2 'certificate is not for this host' in_cluster misnamed
check "a proxy that is not there" says 2 'cannot connect' in_cluster proxied
check "plain http where TLS is spoken" says 2 'breakwater check: ' in_cluster plain
check "a context that is not there" says 2 'context "other": is not there' in_cluster other

check "a program that gives a token" says 0 "$good" in_cluster good
check "it is told of the cluster" says 0 "\"spec\":{\"interactive\":false,\"cluster\":{\"server\":\"$server\",\"certificate-aut" \
    cat "$BW_TMP/kube/runs-good"
check "one of v1beta1" says 0 "$good" in_cluster beta
check "one that gives a certificate" says 0 "$good" in_cluster certificate
check "one whose token is refused is asked again" says 0 "$good" in_cluster refused
check "once" says 0 '^2$' runs refused
check "one that writes garbage" says 2 'login: JSON of an ExecCredential is expected' in_cluster garbage
check "one that fails" says 2 'login ended with exit status 7' in_cluster failing
check "one that is not installed: its hint" says 2 'breakwater-no-such-login.*get login from the platform team' in_cluster missing

# nine ConfigMaps are two pages: two calls
for i in 1 2 3 4 5 6 7 8; do bundle_map shop "more-$i" docs/examples/demo-bundle.json; done
all_pages() { # CONTEXT LEAST MOST: so many runs of its program
    rm -f "$BW_TMP/kube/runs-$1"
    in_cluster "$1" >"$BW_TMP/pages" || return 1
    cat "$BW_TMP/pages" "$BW_TMP/kube/runs-$1"
    [ "$(grep -c ': 0 errors' "$BW_TMP/pages")" = 9 ] && [ "$(runs "$1")" -ge "$2" ] && [ "$(runs "$1")" -le "$3" ]
}
check "a long list comes in pages; a token that is good for long is asked for once" all_pages good 1 1
check "one that has expired is asked for anew" all_pages expired 2 9

# where kubectl would look
elsewhere() { KUBECONFIG=$BW_TMP/nowhere:$BW_TMP/first:$BW_TMP/kube/config bw check --cluster "$@" 2>&1 | tee -a "$seen"; }
printf 'current-context: everyday\n' >"$BW_TMP/first"
check "KUBECONFIG names files, of which the first counts" says 1 'ConfigMap staging' elsewhere
mkdir -p "$BW_TMP/home/.kube"
cp "$admin" "$BW_TMP/home/.kube/config"
check "else the one at home" says 1 'ConfigMap staging' bw check --cluster
check "options of a cluster want --cluster" says 2 'context needs --cluster' bw check --context x "$BW_TMP/bad.json"

no_secrets() {
    local secret
    [ -s "$seen" ] || return 1
    for secret in "$robot" "$eve" s3cret "$(sed -n 2p "$BW_TMP/kube/pki/ann.key")" \
        "$(base64 -w0 "$BW_TMP/kube/pki/ann.key" | cut -c 1-40)"; do
        ! grep -F -e "$secret" "$seen" || return 1
    done
}
check "no token, no password and no key was printed" no_secrets
check "nothing is wrong inside" sound
done_testing
