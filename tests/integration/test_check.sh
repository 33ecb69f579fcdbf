#!/usr/bin/env bash
# breakwater check, explain, certs, version and --help: what an author of bundles and an operator type.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/integration/rig.sh
. tests/integration/rig.sh

for file in tests/data/bundles/*.json docs/examples/*.json; do
    check "${file##*/} has no fault" says 0 ': 0 errors' bw check "$file"
done
cat >"$BW_TMP/ten.json" <<'J'
{"id": "ten", "version": "1_0", "policies": [{"id": "p", "version": "1_0", "rules": [
 {"id": "1", "gate": "dockerfil", "trigger": "exposed_ports", "action": "STOP", "params": []},
 {"id": "2", "gate": "dockerfile", "trigger": "exposed_port", "action": "STOP", "params": []},
 {"id": "3", "gate": "dockerfile", "trigger": "exposed_ports", "action": "STOP",
  "params": [{"name": "ports", "value": "22,x"}, {"name": "type", "value": "blacklist"}]},
 {"id": "4", "gate": "dockerfile", "trigger": "exposed_ports", "action": "STOP",
  "params": [{"name": "ports", "value": "22"}, {"name": "type", "value": "forbidden"}]},
 {"id": "5", "gate": "dockerfile", "trigger": "exposed_ports", "action": "STOP", "params": [{"name": "type", "value": "blacklist"}]},
 {"id": "6", "gate": "files", "trigger": "name_match", "action": "STOP", "params": [{"name": "regex", "value": "(unclosed"}]},
 {"id": "7", "gate": "files", "trigger": "suid_or_guid_set", "action": "STOP", "params": [{"name": "what", "value": "x"}]},
 {"id": "8", "gate": "metadata", "trigger": "attribute", "action": "STOP",
  "params": [{"name": "attribute", "value": "size"}, {"name": "check", "value": ">"}, {"name": "value", "value": "big"}]},
 {"id": "9", "gate": "always", "trigger": "always", "action": "HALT", "params": []}]}],
 "mappings": [{"id": "m", "name": "m", "registry": "*", "repository": "*", "image": {"type": "tag", "value": "*"},
  "policy_ids": ["q"], "whitelist_ids": []}], "whitelists": []}
J
ten_faults() {
    local path
    bw check "$BW_TMP/ten.json" >"$BW_TMP/ten.out" && return 1
    cat "$BW_TMP/ten.out"
    for path in rules/0/gate rules/1/trigger rules/2/params/0 rules/3/params/1 rules/4 rules/5/params/0 rules/6/params/0 \
        rules/7/params/2 rules/8/action mappings/0/policy_ids/0; do
        grep -qE "ten.json:[0-9]+:[0-9]+: error: .*/$path" "$BW_TMP/ten.out" || { echo "missing: $path" && return 1; }
    done
}
check "ten faults at once, each with file, line and path" ten_faults
check "the nearest word is suggested" grep -q 'dockerfile' "$BW_TMP/ten.out"
/usr/bin/python3 - "$BW_TMP/large.json" <<'PY'
import json, sys
bundle = json.load(open("docs/examples/demo-bundle.json"))
bundle["whitelists"][0]["items"] = [{"id": f"i{n}", "gate": "files", "trigger_id": f"{n:032x}"} for n in range(250000)]
json.dump(bundle, open(sys.argv[1], "w"))
PY
check "a bundle of 20 MB is refused with its size" says '1|2' 'bytes|large|MiB' bw check "$BW_TMP/large.json"
/usr/bin/python3 - "$BW_TMP/ten-megabytes.json" <<'PY'
import json, sys
bundle = json.load(open("docs/examples/demo-bundle.json"))
bundle["whitelists"][0]["items"] = [{"id": f"i{n}", "gate": "files", "trigger_id": f"{n:032x}"} for n in range(120000)]
json.dump(bundle, open(sys.argv[1], "w"))
PY
check "a bundle of 10 MB loads" says 0 ': 0 errors' bw check "$BW_TMP/ten-megabytes.json"
check "not a bundle" says '1|2' . bw check README.md
check "a configuration of Anchore's controller" says 0 '0 errors, 7 warnings' bw check tests/data/controller-config/chart.json
check "and its faults" says 1 'odd.json:6:145: error: /POLICYSELECTORS/2/mode: .*' bw check tests/data/controller-config/odd.json
settings_are_told_from_bundles() {
    local key
    for key in $(bw explain config --output markdown | grep -oE '^\| `[A-Za-z]+' | cut -c4- | sort -u) PolicySelectors selectors; do
        echo "$key: ~" | bw check - | grep -q '0 errors' || { echo "a bundle: $key" && return 1; }
    done
}
check "no setting is taken for a member of a bundle" settings_are_told_from_bundles
check "a file that is not there" says 2 'nowhere' bw check "$BW_TMP/nowhere.json"

sarif() { # of these files: valid in structure, with one result for each line that the text form has
    local status=0 text=0
    bw check --output sarif "$@" >"$BW_TMP/check.sarif" || status=$?
    bw check "$@" >"$BW_TMP/check.txt" || text=$?
    [ "$status" = "$text" ] || { echo "exit status $status, of text $text" && return 1; }
    /usr/bin/python3 - "$BW_TMP/check.sarif" "$BW_TMP/check.txt" <<'PY'
import json, re, sys
document = json.load(open(sys.argv[1]))
assert document["version"] == "2.1.0" and document["$schema"].endswith("sarif-2.1.0.json"), document
[run] = document["runs"]
driver = run["tool"]["driver"]
assert driver["name"] == "breakwater" and driver["version"] and run["columnKind"] == "unicodeCodePoints", driver
rules = [rule["id"] for rule in driver["rules"]]
assert len(set(rules)) == len(rules), rules
for rule in driver["rules"]:
    assert rule["shortDescription"]["text"] and rule["defaultConfiguration"]["level"] in ("error", "warning"), rule
told = [re.match(r"(.+?):(\d+):(\d+): (error|warning): (.*)", line) for line in open(sys.argv[2])]
told = [(m[1], int(m[2]), int(m[3]), m[4], m[5]) for m in told if m]
results = []
for result in run["results"]:
    assert rules[result["ruleIndex"]] == result["ruleId"] and result["message"]["text"], result
    [location] = result["locations"]
    region = location["physicalLocation"].get("region", {"startLine": 0, "startColumn": 0})
    path = [one["fullyQualifiedName"] + ": " for one in location.get("logicalLocations", [])]
    results.append((location["physicalLocation"]["artifactLocation"]["uri"], region["startLine"], region["startColumn"],
                    result["level"], "".join(path) + result["message"]["text"]))
assert results == told, (results, told)
invocation, = run["invocations"]
assert invocation["executionSuccessful"] is True and not invocation["toolExecutionNotifications"], invocation
PY
}
check "SARIF: the same faults, each with its place, and the same exit status" sarif "$BW_TMP/ten.json" docs/examples/demo-bundle.json
check "SARIF: the rule is the kind, the suggestion in the message" test "$(json "$BW_TMP/check.sarif" \
    '[(r["ruleId"], "did you mean dockerfile?" in r["message"]["text"]) for r in d["runs"][0]["results"]][0]')" = "('gate_not_found', True)"
sarif_trouble() {
    says 2 '"executionSuccessful": false' bw check --output sarif "$BW_TMP/nowhere.json" "$BW_TMP/ten.json"
}
check "SARIF: a file that is not there" sarif_trouble

from_stdin() { says "$1" 'stdin:[0-9]+:[0-9]+: error' bw check - <"$BW_TMP/ten.json"; }
check "standard input, with lines" from_stdin 1
mkdir -p "$BW_TMP/folder/sub.json" "$BW_TMP/empty"
cp docs/examples/demo-bundle.json "$BW_TMP/folder/a.json"
check "a folder: each bundle in it, folders not entered" says 0 'a.json: 0 errors' bw check "$BW_TMP/folder"
cp "$BW_TMP/ten.json" "$BW_TMP/folder/b.json"
check "a folder with one bad bundle" says 1 'b.json:[0-9]+:[0-9]+: error' bw check "$BW_TMP/folder"
check "a folder without a bundle" says 2 'no file ending' bw check "$BW_TMP/empty"
printf '%s\n' '{"id": "w", "version": "1_0", "policies": [], "mappings": [], "whitelists": [], "colour": 1}' >"$BW_TMP/warns.json"
check "warnings are allowed" says 0 ' 0 errors, [1-9]' bw check "$BW_TMP/warns.json"
check "warnings count with --strict" says 1 ' 0 errors, [1-9]' bw check --strict "$BW_TMP/warns.json"
printf '%s\n' 'apiVersion: v1' 'kind: ConfigMap' 'metadata: {name: m}' 'data:' '  a.json: |' >"$BW_TMP/unlabelled.yaml"
sed 's/^/    /' docs/examples/demo-bundle.json >>"$BW_TMP/unlabelled.yaml"
check "a ConfigMap without its label is a warning" says 0 'warning: without the label' bw check "$BW_TMP/unlabelled.yaml"
check "which counts with --strict" says 1 'warning: without the label' bw check --strict "$BW_TMP/unlabelled.yaml"

layout=$(tests/images/make)
/usr/bin/python3 - "$BW_TMP/for-ever.json" <<'PY'
import json, sys
bundle = json.load(open("docs/examples/demo-bundle.json"))
bundle["policies"][0]["rules"] = [{"id": "slow", "gate": "files", "trigger": "name_match", "action": "STOP",
                                   "params": [{"name": "regex", "value": "(/?[a-z0-9./_-]*)*(/?[a-z0-9./_-]*)*$^X"}]}]
json.dump(bundle, open(sys.argv[1], "w"))
PY
check "a pattern that backtracks for ever is an error of its rule, in time" says '1|2' 'slow' \
    bw evaluate --bundle "$BW_TMP/for-ever.json" --platform linux/amd64 "oci:$layout:debian-12"

# bundles in ConfigMaps, as they are applied
/usr/bin/python3 - "$BW_TMP" <<'PY'
import base64, gzip, json, sys
bundle = open("docs/examples/demo-bundle.json").read()
bad = bundle.replace('"effective_user"', '"efective_user"')
def config_map(name, label=True, **keys):
    return {"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "labels": {"breakwater.io/bundle": "active"} if label else {}}, **keys}
def write(name, *documents):
    open(sys.argv[1] + "/" + name, "w").write("\n---\n".join(json.dumps(d) for d in documents))
packed = base64.b64encode(gzip.compress(bad.encode())).decode()
write("good-map.yaml", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}},
      config_map("prod", data={"prod.json": bundle}))
write("bad-map.yaml", config_map("prod", data={"prod.json": bad}))
write("list.yaml", {"apiVersion": "v1", "kind": "List", "items": [config_map("packed", binaryData={"p.json.gz": packed})]})
write("no-label.yaml", config_map("prod", label=False, data={"prod.json": bundle, "notes.txt": "x"}))
write("garbage.yaml", config_map("prod", binaryData={"p.json.gz": base64.b64encode(b"no gzip").decode()}))
write("other.yaml", config_map("settings", label=False, data={"x": "y"}))
PY
check "a ConfigMap with a good bundle" says 0 'good-map.yaml: ConfigMap prod data\[prod.json\]: 0 errors' bw check "$BW_TMP/good-map.yaml"
check "one with a misspelt trigger, with place and suggestion" says 1 \
    'ConfigMap prod data\[prod.json\]:[0-9]+:[0-9]+: error: .*trigger.*effective_user' bw check "$BW_TMP/bad-map.yaml"
check "a packed one in a List" says 1 'ConfigMap packed binaryData\[p.json.gz\].*effective_user' bw check "$BW_TMP/list.yaml"
check "one that no cluster would see" says 0 'warning: .*breakwater.io/bundle' bw check "$BW_TMP/no-label.yaml"
check "and its key that is no bundle" says 0 'notes.txt' bw check "$BW_TMP/no-label.yaml"
check "one that is no gzip" says 1 'error: .*gzip' bw check "$BW_TMP/garbage.yaml"
check "a ConfigMap of somebody else's" says 0 '^' bw check "$BW_TMP/other.yaml"
check "all that as JSON" says 1 '"kind": "manifest"' bw check --output json "$BW_TMP/garbage.yaml" "$BW_TMP/bad-map.yaml"

# lines of a manifest: of a bundle in a literal block, and of one that is packed in another way
/usr/bin/python3 - "$BW_TMP" <<'PY'
import json, sys
bundle = json.loads(open("docs/examples/demo-bundle.json").read().replace('"effective_user"', '"efective_user"'))
text = json.dumps(bundle, indent=2)
head = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: %s\n  labels: {breakwater.io/bundle: active}\ndata:\n"
block = "  prod.json: %s\n" + "".join("    " + line + "\n" for line in text.split("\n"))
def write(name, content):
    open(sys.argv[1] + "/" + name, "w").write(content)
write("literal.yaml", "kind: Namespace\napiVersion: v1\nmetadata: {name: x}\n---\n---\n" + head % "prod" + block % "|")
write("listed.yaml", "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret}\n- " +
      (head % "prod" + block % "|-").replace("\n", "\n  ").rstrip() + "\n")
write("folded.yaml", head % "prod" + block % ">")
write("quoted.yaml", head % "prod" + "  prod.json: " + json.dumps(text) + "\n")
write("broken.yaml", head % "prod" + "  prod.json: |\n    {\n      \"id\" 1\n    }\n")
PY
line_of() { grep -n -m 1 efective_user "$BW_TMP/$1" | cut -d : -f 1; }
check "a bundle in a literal block: the line of the file" says 1 \
    "literal.yaml:$(line_of literal.yaml):[0-9]+: error: data\[prod.json\]:/policies/0/rules/[0-9]+/trigger: .*effective_user" bw check "$BW_TMP/literal.yaml"
check "one of a List" says 1 \
    "listed.yaml:$(line_of listed.yaml):[0-9]+: error: data\[prod.json\]:/policies/0/rules/[0-9]+/trigger" bw check "$BW_TMP/listed.yaml"
check "a fault of its syntax" says 1 'broken.yaml:9:[0-9]+: error: data\[prod.json\]: ' bw check "$BW_TMP/broken.yaml"
for file in folded quoted; do
    check "in a $file one: the line of the text" says 1 \
        'prod data\[prod.json\]:[0-9]+:[0-9]+: error: /policies/0/rules/[0-9]+/trigger' bw check "$BW_TMP/$file.yaml"
    check "which is said" says 1 ': 1 error.*\(lines are those of the text in this key\)' bw check "$BW_TMP/$file.yaml"
done
check "the line in JSON" says 1 "\"line\": $(line_of literal.yaml)" bw check --output json "$BW_TMP/literal.yaml"
map_regions() { # of SARIF, the file's line; of a packed text the place of its key, and the line inside in the message
    bw check --output sarif "$BW_TMP/literal.yaml" "$BW_TMP/quoted.yaml" >"$BW_TMP/maps.sarif" || [ $? = 1 ] || return 1
    json "$BW_TMP/maps.sarif" '[[r["locations"][0]["physicalLocation"]["region"]["startLine"], r["locations"][0]["logicalLocations"][0]["fullyQualifiedName"].split("/")[0], " of the text)" in r["message"]["text"]] for r in d["runs"][0]["results"]]'
}
check "the regions of SARIF are those of the file" test "$(map_regions)" = \
    "[[$(line_of literal.yaml), 'ConfigMap prod data[prod.json]:', False], [7, 'ConfigMap prod data[prod.json]:', True]]"

for command in serve evaluate analyze check test explain certs version; do
    check "$command --help" says 0 "breakwater $command" bw "$command" --help
done
check "--help lists the commands" says 0 'evaluate' bw --help
check "an unknown command, with the nearest" says 2 'evaluate' bw evaluat
check "an unknown option, with the nearest" says 2 'bundle' bw evaluate --bundel x y
check "explain lists the gates" says 0 'dockerfile' bw explain
check "explain a trigger" says 0 'ports' bw explain dockerfile exposed_ports
check "explain a gate that is not there" says 2 'dockerfile' bw explain dockerfil
check "version" says 0 '[0-9]+\.[0-9]+' bw version
check "analyze: a summary" says 0 'debian' bw analyze --platform linux/amd64 "oci:$layout:debian-12"
round_trip() { # an analysis that was written can be evaluated, with the same verdict
    bw analyze --platform linux/amd64 --output json "oci:$layout:shop-1.4" >"$BW_TMP/analysis.json" &&
        says 1 'effective_user' bw evaluate --bundle docs/examples/demo-bundle.json --analysis "$BW_TMP/analysis.json"
}
check "analyze --output json feeds evaluate --analysis" round_trip
check "certs makes a CA and a certificate" bash -c "'$BW_PROGRAM' certs --out '$BW_TMP/c' --dns a.test --ip 127.0.0.1 &&
    openssl verify -CAfile '$BW_TMP/c/ca.crt' -verify_hostname a.test '$BW_TMP/c/tls.crt' && [ \$(stat -c %a '$BW_TMP/c/tls.key') = 600 ]"
check "certs does not overwrite" says 2 'already' bw certs --out "$BW_TMP/c" --dns a.test
check "manifests without bundles are none of its business" says 0 '^$' bw check manifests/install.yaml
done_testing
