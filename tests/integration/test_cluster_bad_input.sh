#!/usr/bin/env bash
# Pull secrets of every kind of nonsense that a real API server stores: each is passed over, none is quoted anywhere, and a
# good one beside them works.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/integration/cluster.sh
. tests/integration/cluster.sh

filled_registry basic

cluster_begin

webhook_at 127.96.0.25

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
good=shop/hello:1.0
secret shop reg s3cret >/dev/null

/usr/bin/python3 - "$host" <<'P' >"$BW_TMP/nonsense.yaml"
import base64, json, sys
host = sys.argv[1]
b = lambda text: base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()
entry = {"username": "alice", "password": "topsecret-0", "auth": b("alice:topsecret-0")}
secrets = {
    "no-object": "[]", "auths-list": json.dumps({"auths": ["topsecret-1"]}), "auths-text": json.dumps({"auths": "topsecret-2"}),
    "entry-list": json.dumps({"auths": {host: ["topsecret-3"]}}), "not-base64": json.dumps({"auths": {host: {"auth": "topsecret-4!!"}}}),
    "no-colon": json.dumps({"auths": {host: {"auth": b("topsecret-5")}}}), "binary": json.dumps({"auths": {host: {"auth": b(b"\xff\xfe:topsecret-6\r\nX: y")}}}),
    "controls": json.dumps({"auths": {host + "\r\nX-Evil: 1": entry, host + "\x1b[2J": entry, host + "\0": entry, "\n" * 1000: entry}}),
    "globs": json.dumps({"auths": {"*" * 5000 + ".example": entry, "[" * 5000: entry, "https://" + "a." * 20000: entry}}),
    "many": json.dumps({"auths": {f"r{i}.example": entry for i in range(6000)}}),
    "header": json.dumps({"auths": {host: {"username": "al\r\nice", "password": "topsecret-7\r\nX-Evil: 1"}}}),
    "deep": '{"auths":' * 500 + "{}" + "}" * 500,
}
for name, text in secrets.items():
    for kind, key in (("dockerconfigjson", ".dockerconfigjson"), ("dockercfg", ".dockercfg")):
        print("---\n" + json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": f"{name}.{kind}", "namespace": "shop"},
                                    "type": "kubernetes.io/" + kind, "data": {key: b(text)}}))
P
k create -f "$BW_TMP/nonsense.yaml" >"$BW_TMP/nonsense.log" 2>&1 || true
i=0
refused_clean() { # NAME SECRET: with it alone the image is refused, in words without controls and secrets
    local out
    out=$(pod shop "$1" "$good" "imagePullSecrets: [{name: $2}]" 2>&1) && { echo "admitted"; return 1; }
    printf '%s\n' "$out"
    ! grep -qE 'topsecre' <<<"$out" && ! LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]' <<<"$out" && grep -qE 'denied the request' <<<"$out"
}
for secret in $(k -n shop get secrets -o name | grep -E 'docker(cfg|configjson)$'); do
    secret=${secret#secret/} i=$((i + 1))
    check "$secret alone" refused_clean "n$i" "$secret"
done
all=$(k -n shop get secrets -o name | grep -E 'docker(cfg|configjson)$' | sed 's/^secret./{name: /; s/$/}/' | paste -sd, )
check "all of them, and a good one at the end" says 0 'pod/all created' pod shop all "$good" "imagePullSecrets: [$all, {name: reg}]"
check "nothing of them is in a log" bash -c "! grep -lE 'topsecre|s3cret|X-Evil' '$BW_TMP'/*/log"
check "nothing is wrong inside" sound
done_testing
