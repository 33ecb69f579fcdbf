#!/usr/bin/env bash
# Rules of the gate tag_drift over a real registry: what a tag led to before is remembered, for serve and for evaluate.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/integration/rig.sh
. tests/integration/rig.sh

layout=$(tests/images/make)
registry_start "$BW_TMP/plain" plain
host=$(registry_host "$BW_TMP/plain")
put() { skopeo copy -q --dest-tls-verify=false "oci:$layout:$1" "docker://$host/$2"; }

mkdir -p "$BW_TMP/drift/bundles"
cat >"$BW_TMP/drift/bundles/drift.json" <<'J'
{"id": "drift", "version": "1_0",
 "policies": [{"id": "p", "version": "1_0",
               "rules": [{"id": "r", "gate": "tag_drift", "trigger": "packages_added", "action": "STOP", "params": []}]}],
 "whitelists": [],
 "mappings": [{"registry": "*", "repository": "*", "image": {"type": "tag", "value": "*"}, "policy_ids": ["p"],
               "whitelist_ids": []}]}
J
settings() { # CACHE
    printf 'registry: {tagTTL: 0s, allowAddresses: [127.0.0.0/8], hosts: {"%s": {plainHTTP: true}}}\n' "$host"
    printf 'cache: {dir: %s}\n' "$1"
}
post() { review drift pod-create image="$host/$1" 2>&1; }

put edge-3.18 shop/moves:1
settings "$BW_TMP/cache" | serve_start drift
check "the first image of a tag has nothing to differ from" says 0 '"allowed": true' post shop/moves:1
put legacy-3.9 shop/moves:1
check "another image under the same tag is denied, its new packages named" says 0 'packages_added.* is new' post shop/moves:1
serve_stop drift
serve_again drift
check "after a restart as well" says 0 'packages_added.* is new' post shop/moves:1
put edge-3.18 shop/moves:2
check "another tag has a history of its own" says 0 '"allowed": true' post shop/moves:2
digest=$(skopeo inspect --tls-verify=false --raw "docker://$host/shop/moves:2" | sha256sum | cut -c1-64)

settings "$BW_TMP/cache2" >"$BW_TMP/cli.yaml"
decide() { bw evaluate --bundle "$BW_TMP/drift/bundles/drift.json" --config "$BW_TMP/cli.yaml" "$@"; }
check "evaluate says when there is nothing to compare with" says 0 'note: ' decide "$host/shop/moves:2"
put legacy-3.9 shop/moves:2
check "evaluate remembers from run to run" says 1 'is new' decide "$host/shop/moves:2"
check "evaluate against an image that is named" says 1 'is new' decide --previous "$host/shop/moves@sha256:$digest" "$host/shop/moves:2"
check "nothing is wrong inside" sound
done_testing
