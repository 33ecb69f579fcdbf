#!/usr/bin/env bash
# Real registries in their four modes: who may read what, which CA is believed, which platform of an index is taken, and
# how many requests an image costs.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/integration/rig.sh
. tests/integration/rig.sh

layout=$(tests/images/make)
for mode in plain tls basic token; do
    registry_start "$BW_TMP/$mode" "$mode"
    registry_push "$BW_TMP/$mode" "$layout" >"$BW_TMP/push.log" 2>&1 || die "pushing failed: $(tail -n 1 "$BW_TMP/push.log")"
done

# settings NAME MODE USER:PASSWORD|- [CA]: a configuration for one registry, $BW_TMP/NAME.yaml (JSON is YAML, too)
settings() {
    /usr/bin/python3 - "$BW_TMP" "$1" "$2" "$3" "${4-$BW_TMP/ca/ca.crt}" <<'PY'
import json, os, sys
folder, name, mode, user, ca = sys.argv[1:]
port = open(f"{folder}/{mode}/port").read().strip()
ports = [port] + [open(path).read() for path in [f"{folder}/{mode}/token/port"] if os.path.exists(path)]
hosts = {}
if mode == "plain":
    hosts[f"localhost:{port}"] = {"plainHTTP": True}
elif ca:
    hosts = {f"localhost:{port}": {"caFile": ca} for port in ports}
registry = {"allowAddresses": ["127.0.0.0/8"], "hosts": hosts}
if user != "-":
    registry["credentialsFile"] = f"{folder}/{name}.credentials"
    username, _, password = user.partition(":")
    with open(registry["credentialsFile"], "w") as out:
        json.dump({"auths": {f"localhost:{port}": {"username": username, "password": password}}}, out)
with open(f"{folder}/{name}.yaml", "w") as out:
    json.dump({"registry": registry, **({"cache": {"dir": f"{folder}/cache"}} if name == "cached" else {})}, out)
PY
}
bundle=docs/examples/demo-bundle.json
judge() { # NAME MODE IMAGE [PLATFORM]
    bw evaluate --bundle "$bundle" --config "$BW_TMP/$1.yaml" --platform "${4:-linux/amd64}" \
        "$(registry_host "$BW_TMP/$2")/$3"
}

settings plain plain -
settings tls tls -
settings basic basic alice:s3cret
settings token token breakwater:pull0nly
for mode in plain tls basic token; do
    check "$mode: a good image passes" says 0 '=> go' judge "$mode" "$mode" shop/hello:1.0
    check "$mode: a bad image is stopped" says 1 'effective_user' judge "$mode" "$mode" shop/web:1.4
    check "$mode: zstd layers" says 0 'suid_or_guid_set' judge "$mode" "$mode" shop/report:2.0
    check "$mode: no such tag" says 2 'does not exist' judge "$mode" "$mode" shop/hello:9
    check "$mode: no such repository" says 2 'does not exist|refused' judge "$mode" "$mode" shop/nothing:1
done

check "an index: this platform's image" says 0 '=> go' judge plain plain shop/tool:3.1
check "an index: another platform's image" says 1 'AWS' judge plain plain shop/tool:3.1 linux/arm64
check "an index: a platform that it has not" says 2 'it has linux/a' judge plain plain shop/tool:3.1 linux/s390x
digest=$(skopeo inspect --tls-verify=false --raw "docker://$(registry_host "$BW_TMP/plain")/shop/hello:1.0" | sha256sum | cut -c1-64)
check "a digest" says 0 '=> go' judge plain plain "shop/hello@sha256:$digest"
check "a tag and its digest" says 0 '=> go' judge plain plain "shop/hello:1.0@sha256:$digest"
check "a digest that nobody has" says 2 'does not exist' judge plain plain "shop/hello@sha256:${digest//[0-4]/7}"

settings stranger tls - ''
check "a CA that nobody configured is not believed" says 2 'certificate' judge stranger tls shop/hello:1.0
make_ca "$BW_TMP/other-ca"
settings wrong-ca tls - "$BW_TMP/other-ca/ca.crt"
check "another CA is not believed" says 2 'certificate' judge wrong-ca tls shop/hello:1.0
settings nobody basic -
check "Basic: nobody is refused, and told so" says 2 '[Cc]redentials|unauthorized|denied' judge nobody basic shop/hello:1.0
settings wrong basic alice:wrong
check "Basic: a wrong password is refused, and never printed" says 2 '[Cc]redentials|unauthorized|denied' \
    judge wrong basic shop/hello:1.0
settings token-wrong token alice:wrong
check "token: a wrong password" says 2 '[Cc]redentials|unauthorized|denied' judge token-wrong token shop/hello:1.0
settings token-nobody token -
check "token: anybody may pull public images" says 0 '=> go' judge token-nobody token public/edge:3.18
check "token: nobody may not pull private ones" says 2 '[Cc]redentials|unauthorized|denied' \
    judge token-nobody token shop/hello:1.0
settings bob token bob:hunter2
check "token: bob may pull his" says 1 'effective_user' judge bob token shop/web:1.4
check "token: bob may not pull another's" says 2 '[Cc]redentials|unauthorized|denied' judge bob token shop/hello:1.0
refused_without_loop() {
    local before after
    before=$(wc -l <"$BW_TMP/token/token/access.log")
    judge bob token shop/hello:1.0 >/dev/null 2>&1 || true
    after=$(wc -l <"$BW_TMP/token/token/access.log")
    echo "tokens asked for: $((after - before))"
    [ $((after - before)) -le 3 ]
}
check "token: a token without the grant is not asked for again and again" refused_without_loop

check "a port where nobody listens" says 2 'refused|connect' bw evaluate --bundle "$bundle" --config "$BW_TMP/plain.yaml" \
    "localhost:$(free_port 0)/shop/web:1"
check "a host that does not exist" says 2 'resolve' bw evaluate --bundle "$bundle" nowhere.invalid/shop/web:1
printf '{}\n' >"$BW_TMP/guarded.yaml"
check "a loopback address is refused unless it is allowed" says 2 'address' \
    bw evaluate --bundle "$bundle" --config "$BW_TMP/guarded.yaml" "$(registry_host "$BW_TMP/plain")/shop/web:1.4"
for reference in 'host.test/UPPER/case:1' 'a b' 'x:' ':tag' 'x@sha256:12' 'http://host/x:1' "$(printf 'x%.0s' {1..5000})"; do
    check "malformed reference ${reference:0:20}" says 2 'reference|expected|empty|too long' \
        bw evaluate --bundle "$bundle" "$reference"
done

# the second look at an image takes nothing but the tag's digest from the registry
settings cached plain -
check "the first look makes requests" says 0 '=> go' judge cached plain shop/web:1.5
check "the second makes one, for the tag" costs 1 "$BW_TMP/plain" judge cached plain shop/web:1.5
check "another image of the same base costs no more than its own" costs 6 "$BW_TMP/plain" \
    says 1 effective_user judge cached plain public/debian:12
done_testing
