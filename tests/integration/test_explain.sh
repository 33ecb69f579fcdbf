#!/usr/bin/env bash
# GET /debug/explain: a denial is told as `breakwater evaluate --explain` tells it, by the pod that made it, to nobody
# from elsewhere.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/integration/rig.sh
. tests/integration/rig.sh

layout=$(tests/images/make)
registry_start "$BW_TMP/plain" plain
registry_push "$BW_TMP/plain" "$layout" >"$BW_TMP/push.log" 2>&1
host=$(registry_host "$BW_TMP/plain")
mkdir -p "$BW_TMP/serve/bundles"
bundle=$BW_TMP/serve/bundles/demo.json
/usr/bin/python3 - docs/examples/demo-bundle.json "$bundle" <<'PY'
import json, sys
bundle = json.load(open(sys.argv[1]))
bundle["whitelists"][0]["items"] = [{"id": "ports-and-user", "gate": "dockerfile", "trigger_id": "*"}]
json.dump(bundle, open(sys.argv[2], "w"))
PY
serve_start serve <<Y
registry:
  allowAddresses: [127.0.0.0/8]
  hosts: {"$host": {plainHTTP: true}}
defaultPlatforms: [linux/amd64]
policySelectors:
  - {id: elsewhere, match: {namespaces: [nowhere]}, mode: breakglass}
  - {id: everywhere, mode: policy}
Y
bad=$host/shop/web:1.4
port=$(json "$BW_TMP/serve/serving" 'd["debug"]')
port=${port##*:}

review serve pod-create image="$bad" request.uid='"11111111-2222"' >"$BW_TMP/denial.json"
explain() { curl -sS "http://127.0.0.1:$port/debug/explain?uid=$1"; }
told() { # EXPRESSION: of the explanation d, its first image i and that image's evaluation e
    explain 11111111-2222 >"$BW_TMP/told.json"
    head -c 1500 "$BW_TMP/told.json"
    /usr/bin/python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); i = d["images"][0]; e = i["evaluations"][0]; sys.exit(0 if eval(sys.argv[2]) else 1)' \
        "$BW_TMP/told.json" "$1"
}
check "the audit annotation names the pod" test "$(json "$BW_TMP/denial.json" 'd["auditAnnotations"]["pod"]')" = "$(hostname)"
check "the audit annotation names the uid" test "$(json "$BW_TMP/denial.json" 'd["auditAnnotations"]["uid"]')" = 11111111-2222
check "the admission and its decision" told 'd["uid"] == "11111111-2222" and d["decision"] == "deny" and d["kind"] == "Pod"'
check "selector, mode, place and bundle of the image, and where that is from" told \
    'i["selector"] == {"index": 1, "id": "everywhere"} and i["mode"] == "policy" and i["field"] == "spec.containers[0].image" and i["bundle"] == "demo" and i["origin"] == "file demo.json"'
check "the mapping and every rule with its outcome" told \
    'e["explain"]["mappings"]["matched"] == 0 and {"no-root": "fired", "small": "silent"}.items() <= {r["id"]: r["outcome"] for r in e["explain"]["policies"][0]["rules"]}.items()'
check "what a whitelist forgave, and which" told \
    '[(f["whitelist"], f["whitelist_item"]) for f in e["findings"] if f["gate"] == "dockerfile"] == 2 * [("agreed", "ports-and-user")]'
same_as_evaluate() { # but for what differs by nature: names and clocks
    cat >"$BW_TMP/cli.yaml" <<Y
registry: {allowAddresses: [127.0.0.0/8], hosts: {"$host": {plainHTTP: true}}}
Y
    bw evaluate --config "$BW_TMP/cli.yaml" --bundle "$bundle" --platform linux/amd64 --explain --output json "$bad" \
        >"$BW_TMP/evaluated.json" || [ $? = 1 ] || return 1
    told 'all(json.load(open(sys.argv[1].replace("told", "evaluated")))[0][k] == e[k] for k in ("digest", "bundle", "action", "reason", "findings", "policies", "explain"))'
}
check "the same facts as evaluate --explain --output json" same_as_evaluate
check "it costs the registry nothing" costs 0 "$BW_TMP/plain" told 'e["action"] == "stop"'
check "an unknown uid: 404 and a sentence" says 0 'no admission with the uid 404-404 .*404$' \
    bash -c "curl -sS -w '%{http_code}' 'http://127.0.0.1:$port/debug/explain?uid=404-404' | tr '\n' ' '"
check "no uid: 400" test "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/debug/explain")" = 400
check "nothing else is there" test "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/metrics")" = 404
check "POST is not answered" test "$(curl -s -o /dev/null -w '%{http_code}' -X POST "http://127.0.0.1:$port/debug/explain?uid=x")" = 405
elsewhere=$(hostname -I | tr ' ' '\n' | grep -m 1 -E '^[0-9.]+$' || true)
if [ -n "$elsewhere" ]; then
    check "another address does not reach it" says 7 'curl: \(7\)' curl -sS "http://$elsewhere:$port/debug/explain?uid=11111111-2222"
else
    skip "another address does not reach it" "this machine has none"
fi
printf 'server: {debugListen: "0.0.0.0:8082"}\n' >"$BW_TMP/wide.yaml"
check "an address that is not loopback is refused" says 2 'debugListen.*loopback' bw serve --config "$BW_TMP/wide.yaml"
serve_stop serve

mkdir -p "$BW_TMP/off/bundles"
cp "$bundle" "$BW_TMP/off/bundles/"
serve_start off <<<''
serve_stop off
sed -i 's/debugListen: "127.0.0.1:0"/debugListen: ""/' "$BW_TMP/off/config.yaml"
serve_again off
check "an empty address: nobody listens" test "$(json "$BW_TMP/off/serving" 'd["debug"]')" = ""
serve_stop off
check "the servers did not complain of themselves" sound
done_testing
