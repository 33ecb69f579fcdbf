#!/usr/bin/env bash
# breakwater evaluate as people and CI read it: why a decision came about, other formats, and what another bundle would
# change.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/integration/rig.sh
. tests/integration/rig.sh

layout=$(tests/images/make)
dir=$BW_TMP/evaluate
mkdir -p "$dir"
demo=docs/examples/demo-bundle.json
analysis=$dir/old.json
bw analyze --platform linux/amd64 --output json "oci:$layout:shop-1.4" >"$analysis"

# the demo's bundle with a mapping before the one that counts, a whitelist, and hostile texts
/usr/bin/python3 - "$demo" "$dir" <<'PY'
import copy, json, sys
bundle = json.load(open(sys.argv[1]))
policy = bundle["policies"][0]["id"]
other = {"id": "elsewhere", "name": "elsewhere", "registry": "quay.io", "repository": "*",
         "image": {"type": "tag", "value": "*"}, "policy_ids": [policy], "whitelist_ids": []}
explained = copy.deepcopy(bundle)
explained["mappings"].insert(0, other)
rule = next(r for r in explained["policies"][0]["rules"] if r["id"] == "no-root")
rule["comment"] = "<b>\"root\" & 'co'</b> \u001b[31m\u0001 ]]> \ufffe"
json.dump(explained, open(sys.argv[2] + "/explained.json", "w"))
lenient = copy.deepcopy(bundle)
lenient["policies"][0]["rules"] = [r for r in lenient["policies"][0]["rules"] if r["id"] != "no-root"]
json.dump(lenient, open(sys.argv[2] + "/lenient.json", "w"))
PY
run() { bw evaluate --analysis "$analysis" "$@" shop/web:1.4; }

check "explain names the mapping that was passed over and why" says 1 'elsewhere.*registry|registry.*quay\.io' \
    run --bundle "$dir/explained.json" --explain
check "explain shows the rules that are silent" says 1 'silent +rule' run --bundle "$demo" --explain
check "explain shows the rule that fired, with its trigger id" says 1 'trigger id [0-9A-Za-z]' run --bundle "$demo" --explain
check "explain is in the JSON form, too" says 1 '"explain": ?\{' run --bundle "$demo" --explain --output json
run --bundle "$dir/explained.json" --output sarif >"$dir/out.sarif" || true
check "SARIF 2.1.0 with rules, results and the image" test "$(json "$dir/out.sarif" \
    '(d["version"], len(d["runs"]), all(r["ruleId"] == d["runs"][0]["tool"]["driver"]["rules"][r["ruleIndex"]]["id"] for r in d["runs"][0]["results"]), any(r["level"] == "error" for r in d["runs"][0]["results"]))')" = \
    "('2.1.0', 1, True, True)"
run --bundle "$dir/explained.json" --output junit >"$dir/out.xml" || true
junit() {
    /usr/bin/python3 - "$dir/out.xml" <<'PY'
import sys, xml.etree.ElementTree as tree
root = tree.parse(sys.argv[1]).getroot()
cases = list(root.iter("testcase"))
failures = list(root.iter("failure"))
assert root.tag == "testsuites" and len(cases) > 3 and failures, (root.tag, len(cases), len(failures))
text = " ".join([f.get("message", "") + (f.text or "") for f in failures])
assert "<b>" in text and "\x1b" not in text and "\x01" not in text, text
PY
}
check "JUnit is XML whatever a comment holds" junit
check "compare: the same bundle changes nothing" says 0 'nothing' run --bundle "$demo" --compare "$demo"
check "compare: a rule less is shown, and only it" says 1 '^ *- stop +dockerfile:effective_user' \
    run --bundle "$demo" --compare "$dir/lenient.json"
check "compare: the other way round" says 1 '^ *\+ stop +dockerfile:effective_user' \
    run --bundle "$dir/lenient.json" --compare "$demo"
check "compare in JSON" says 1 'effective_user' run --bundle "$demo" --compare "$dir/lenient.json" --output json
check "compare with a bundle that has faults" says 2 'error' run --bundle "$demo" --compare README.md

# tag_drift: what the tag led to before
bw analyze --platform linux/amd64 --output json "oci:$layout:shop-1.5" >"$dir/new.json"
cat >"$dir/drift.yaml" <<'Y'
id: drift
version: 1_0
policies:
- id: p
  name: p
  version: 1_0
  rules:
  - {id: added, gate: tag_drift, trigger: packages_added, action: STOP, params: []}
  - {id: gone, gate: tag_drift, trigger: packages_removed, action: WARN, params: []}
  - {id: changed, gate: tag_drift, trigger: packages_modified, action: WARN, params: []}
whitelists: []
mappings:
- {id: m, name: m, registry: "*", repository: "*", image: {type: tag, value: "*"}, policy_ids: [p], whitelist_ids: []}
whitelisted_images: []
blacklisted_images: []
Y
/usr/bin/python3 - "$dir/new.json" "$dir/more.json" <<'PY'
import copy, json, sys
analysis = json.load(open(sys.argv[1]))
package = copy.deepcopy(analysis["packages"][0])
package["name"] = "added-since"
analysis["packages"].append(package)
json.dump(analysis, open(sys.argv[2], "w"))
PY
drift() { bw evaluate --bundle "$dir/drift.yaml" "$@"; }
check "without an image before there is nothing to compare, and a note says so" says 0 'note: .*previous' \
    drift --analysis "$dir/new.json"
check "the same image before: nothing drifted" says 0 '=> go' drift --previous "$dir/new.json" --analysis "$dir/new.json"
check "a package more is named" says 1 'packages_added +.*added-since' \
    drift --previous "$dir/new.json" --analysis "$dir/more.json"
check "a package less warns" says 0 'packages_removed +.*added-since' \
    drift --previous "$dir/more.json" --analysis "$dir/new.json"
check "an image as the one before" says 0 '=> go' drift --previous "oci:$layout:shop-1.5" "oci:$layout:shop-1.5" --platform linux/amd64
check "one that is not there is named" says 2 'previous nowhere' drift --previous nowhere --analysis "$dir/new.json"
done_testing
