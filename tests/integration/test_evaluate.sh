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
forgiving = copy.deepcopy(bundle)
for mapping in forgiving["mappings"]:
    mapping["whitelist_ids"] = ["known"]
forgiving["whitelists"] = [{"id": "known", "name": "known", "version": "1_0", "items": [
    {"id": "root-for-now", "gate": "dockerfile", "trigger_id": "*"}]}]
json.dump(forgiving, open(sys.argv[2] + "/forgiving.json", "w"))
forgiving["whitelisted_images"] = [{"id": "all", "name": "all", "registry": "*", "repository": "shop/web",
                                    "image": {"type": "tag", "value": "*"}}]
json.dump(forgiving, open(sys.argv[2] + "/whitelisted.json", "w"))
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
suppressed() { # SARIF of a bundle: how results of the gate dockerfile are suppressed, and how those of others are
    run --bundle "$dir/$1.json" --output sarif >"$dir/$1.sarif" || [ $? = 1 ] || return 1
    /usr/bin/python3 - "$dir/$1.sarif" <<'PY'
import json, sys
ways = {True: set(), False: set()}
for result in json.load(open(sys.argv[1]))["runs"][0]["results"]:
    for one in result.get("suppressions", [None]):
        assert one is None or (one["kind"], one["status"]) == ("external", "accepted"), one
        if not result["ruleId"].startswith("breakwater:"): # of the image as a whole
            ways[result["ruleId"].startswith("dockerfile:")].add("none" if one is None else one["justification"])
print(sorted(ways[True]), sorted(ways[False]))
PY
}
check "SARIF: what a whitelist forgave is suppressed, and says by which item" test "$(suppressed forgiving)" = \
    "['whitelist known, item root-for-now'] ['none']"
check "SARIF: of a whitelisted image everything is suppressed" says 0 \
    "^\['whitelist known, item root-for-now'\] \[\"the image is on the bundle's list of permitted images[^]\\[,]*, whatever the rules find\"\]$" \
    suppressed whitelisted
check "and it passes" says 0 '=> go \(whitelisted' run --bundle "$dir/whitelisted.json"
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

# several images in one call
both() { bw evaluate --bundle "$demo" --platform linux/amd64 "$@" "oci:$layout:shop-1.5" "oci:$layout:shop-1.4"; }
check "several images: each with its verdict, stopped if one is" says 1 'shop-1\.5 .*linux/amd64' both
check "the good one" says 1 '^  => go' both
check "the bad one" says 1 '^  => stop' both
of_both() { both --output "$1" >"$dir/both" || [ $? = 1 ] || return 1; }
two_documents() {
    of_both json && [ "$(json "$dir/both" '[(i["image"].rsplit(":")[-1], i["action"]) for i in d]')" = "[('shop-1.5', 'go'), ('shop-1.4', 'stop')]" ] || return 1
    of_both sarif && [ "$(json "$dir/both" '[len(d["runs"][0]["artifacts"])] + sorted({r["locations"][0]["physicalLocation"]["artifactLocation"]["index"] for r in d["runs"][0]["results"]})')" = "[2, 1]" ] || return 1
    of_both junit && grep -c '<testsuite ' "$dir/both" | grep -qx 2
}
check "both in JSON, SARIF and JUnit" two_documents

# exit status 2: it could not be told
check "no such bundle" says 2 'nowhere.json' run --bundle "$dir/nowhere.json"
check "a bundle with faults" says 2 'error' run --bundle README.md
check "no such image" says 2 "nowhere" bw evaluate --bundle "$demo" "oci:$layout:nowhere"
check "nor beside a good one, which is judged" says 2 '^  => go' bw evaluate --bundle "$demo" --platform linux/amd64 "oci:$layout:nowhere" "oci:$layout:shop-1.5"
check "beside a bad one: stopped" says 1 '^  => stop' bw evaluate --bundle "$demo" --platform linux/amd64 "oci:$layout:nowhere" "oci:$layout:shop-1.4"
check "no analysis in that file" says 2 'analysis' bw evaluate --bundle "$demo" --analysis "$demo"
check "no reference" says 2 'shop//web' bw evaluate --bundle "$demo" --analysis "$analysis" shop//web:1
check "no platform" says 2 'platform' bw evaluate --bundle "$demo" --platform nowhere "oci:$layout:shop-1.5"
check "no time" says 2 '2026-01-31T12:00:00Z' run --bundle "$demo" --at yesterday
check "nothing to judge" says 2 'needed' bw evaluate --bundle "$demo"
cat >"$dir/unknown.json" <<'J'
{"id": "u", "version": "1_0", "policies": [{"id": "p", "version": "1_0", "rules": [
 {"id": "age", "gate": "vulnerabilities", "trigger": "package", "action": "WARN", "params": [{"name": "package_type", "value": "all"}]}]}],
 "whitelists": [], "mappings": [{"id": "m", "name": "m", "registry": "*", "repository": "*", "image": {"type": "tag", "value": "*"},
  "policy_ids": ["p"], "whitelist_ids": []}]}
J
check "a rule that cannot be evaluated" says 2 '=> stop' run --bundle "$dir/unknown.json"

# recorded analyses and decisions of Anchore Engine, by the command line
recorded() { # of one gate, those cases that need neither vulnerabilities nor feeds
    /usr/bin/python3 - "$1" "$dir" "$BW_PROGRAM" <<'PY'
import json, re, subprocess, sys
gate, folder, program = sys.argv[1:]
open(f"{folder}/allow.yaml", "w").write("noMappingMatch: allow\n")
cases = []
for line in open(f"tests/data/bundle-tests/{gate}.test.yaml"):
    word, _, value = line.strip().removeprefix("- ").partition(": ")
    if word == "name":
        cases.append({"name": json.loads(value), "ids": []})
    elif line.startswith("    - {"):
        cases[-1]["ids"].append(json.loads(line.strip()[2:])["triggerId"])
    elif cases:
        cases[-1][word] = value.strip('"')
for case in cases[:4]:
    open(f"{folder}/recorded.json", "w").write(case["bundle"])
    done = subprocess.run([program, "evaluate", "--config", f"{folder}/allow.yaml", "--bundle", f"{folder}/recorded.json", "--at", case["now"],
                           "--analysis", "tests/data/bundle-tests/" + case["analysis"], "--output", "json", case["image"]], capture_output=True, text=True)
    [image] = json.loads(done.stdout)
    got = (image["action"], sorted(f["trigger_id"] for f in image["findings"]), done.returncode)
    wanted = (case["action"], sorted(case["ids"]), int(case["action"] == "stop"))
    assert got == wanted, (case["name"], got, wanted, done.stderr)
print(len(cases[:4]), "cases")
assert cases
PY
}
for gate in files packages licenses dockerfile secret_scans passwd_file mapping images whitelist; do
    check "recorded decisions, $gate" recorded "$gate"
done

# an analysis as the engine exports it
/usr/bin/python3 - "$dir/export.json" <<'PY'
import base64, json, sys
digest = "ab" * 32
def base(**lists):
    return {name.replace("__", "."): {"base": records} for name, records in lists.items()}
report = {
    "analyzer_meta": base(analyzer_meta={"DISTRO": "alpine", "DISTROVERS": "3.12", "LIKEDISTRO": "alpine"}),
    "package_list": base(pkgs__allinfo={"musl": json.dumps({"type": "APKG", "version": "1.1.24", "release": "r9", "arch": "x86_64",
                                                            "size": "600", "license": "MIT"})}),
    "file_list": base(files__allinfo={"/bin/su": json.dumps({"type": "file", "mode": 0o104755, "size": 3, "uid": 0, "linkdst": None})}),
    "secret_search": base(regexp_matches__all={"/key": {base64.b64encode(b"PRIV_KEY=(?i)-+BEGIN(.*)PRIVATE KEY-+").decode(): [1]}}),
    "retrieve_files": base(file_content__all={"/etc/passwd": base64.b64encode(b"root:x:0:0:root:/root:/bin/ash\n").decode()})}
image = {"dockerfile_mode": "Guessed", "dockerfile_contents": "FROM scratch\nEXPOSE 22/tcp\n", "layers": ["sha256:" + digest],
         "meta": {"sizebytes": 5613764},
         "docker_data": {"Architecture": "amd64", "Os": "linux", "RepoDigests": ["a/b@sha256:" + digest]}}
json.dump([{"image": {"imageId": digest, "imagedata": {"analysis_report": report, "image_report": image}}}], open(sys.argv[1], "w"))
PY
cat >"$dir/export-bundle.json" <<'J'
{"id": "e", "version": "1_0", "policies": [{"id": "p", "version": "1_0", "rules": [
 {"id": "1", "gate": "packages", "trigger": "blacklist", "action": "STOP", "params": [{"name": "name", "value": "musl"}, {"name": "version", "value": "1.1.24"}]},
 {"id": "2", "gate": "files", "trigger": "suid_or_guid_set", "action": "WARN", "params": []},
 {"id": "3", "gate": "secret_scans", "trigger": "content_regex_checks", "action": "WARN", "params": [{"name": "content_regex_name", "value": "PRIV_KEY"}]},
 {"id": "4", "gate": "passwd_file", "trigger": "blacklist_shells", "action": "WARN", "params": [{"name": "shells", "value": "/bin/ash"}]},
 {"id": "5", "gate": "dockerfile", "trigger": "exposed_ports", "action": "WARN", "params": [{"name": "ports", "value": "22"}, {"name": "type", "value": "blacklist"}]},
 {"id": "6", "gate": "metadata", "trigger": "attribute", "action": "WARN",
  "params": [{"name": "attribute", "value": "distro"}, {"name": "check", "value": "="}, {"name": "value", "value": "alpine"}]}]}],
 "whitelists": [], "mappings": [{"id": "m", "name": "m", "registry": "*", "repository": "*", "image": {"type": "tag", "value": "*"},
  "policy_ids": ["p"], "whitelist_ids": []}]}
J
exported() {
    bw evaluate --bundle "$dir/export-bundle.json" --analysis "$dir/export.json" --output json >"$dir/exported.out" || [ $? = 1 ] || return 1
    json "$dir/exported.out" '(d[0]["action"], [f["rule"] for f in d[0]["findings"]], any(f["undecided"] for f in d[0]["findings"]))'
}
check "an export of the engine is evaluated" test "$(exported)" = "('stop', ['1', '2', '3', '4', '5', '6'], False)"
done_testing
