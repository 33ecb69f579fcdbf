#!/usr/bin/env bash
# breakwater test: the example bundles and recorded decisions pass, and what should fail fails with its place.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/integration/rig.sh
. tests/integration/rig.sh

# Each case of theirs is a line of this script's.
status=0
bw test docs/examples tests/data/bundle-tests >"$BW_TMP/all" || status=$?
grep -vE '^[0-9]+ passed, ' "$BW_TMP/all" || true
check "the examples and the recorded decisions pass" test "$status" = 0
check "no example loads with a warning" bw check --strict docs/examples
bw test --output json docs/examples >"$BW_TMP/examples.json" || true
for bundle in cis-docker walkthrough observe vulnerabilities; do
    check "$bundle has six cases and more, of which some pass and some do not" /usr/bin/python3 - "$BW_TMP/examples.json" "$bundle" <<'PY'
import json, sys
file = next(f for f in json.load(open(sys.argv[1]))["files"] if f["file"].endswith(f"/{sys.argv[2]}.test.yaml"))
actions = [c["action"] for c in file["cases"]]
print(actions)
sys.exit(len(actions) < 6 or actions.count("go") < 1 or actions.count("go") == len(actions))
PY
done
gates() { # of every gate that the recorded decisions have
    local gate
    for gate in always dockerfile files licenses malware metadata npms packages passwd_file retrieved_files ruby_gems \
        secret_scans vulnerabilities; do
        grep -q "^ok - .*/$gate.test.yaml: " "$BW_TMP/all" || { echo "none of $gate" && return 1; }
    done
}
check "recorded decisions of every gate are among them" gates
if [ -x build/dev/tests/golden ]; then
    exported() {
        build/dev/tests/golden --export-tests "$BW_TMP/exported" tests/data/golden && diff -r "$BW_TMP/exported" tests/data/bundle-tests
    }
    check "tests/data/bundle-tests is what hack/golden --export-tests writes" exported
else
    skip "tests/data/bundle-tests is what hack/golden --export-tests writes" "build/dev has no runner: hack/golden builds it"
fi
python=''
for one in python3 /usr/bin/python3; do
    if [ -z "$python" ] && "$one" -c 'import jsonschema' 2>/dev/null; then python=$one; fi
done
for bundle in docs/examples/*.json; do
    if [ -n "$python" ]; then
        check "${bundle##*/} is what docs/bundle.schema.json says" "$python" -W ignore - "$bundle" <<'PY'
import json, sys, jsonschema
jsonschema.Draft7Validator(json.load(open("docs/bundle.schema.json"))).validate(json.load(open(sys.argv[1])))
PY
    else
        skip "${bundle##*/} is what docs/bundle.schema.json says" "Python has no jsonschema"
    fi
done

# ---- what should fail ----
cp docs/examples/demo-bundle.json "$BW_TMP/prod.json"
file() { cat >"$BW_TMP/$1"; }
file wrong.test.yaml <<'Y'
bundle: prod.json
cases:
  - name: root is admitted
    facts: {user: root}
    expect: {action: go, findings: [{gate: files}], findingsExactly: true}
  - name: nobody is admitted
    facts: {user: nobody}
    expect: {action: go}
Y
check "a wrong expectation: exit status 1" says 1 '1 passed, 1 failed, 0 not run' bw test "$BW_TMP/wrong.test.yaml"
wrong() { says 1 "$1" bw test "$BW_TMP/wrong.test.yaml"; }
check "with file, line and name" wrong 'not ok - .*wrong.test.yaml:3:5: root is admitted'
check "with what was expected" wrong '^ +- go$'
check "with what came" wrong '^ +\+ stop$'
check "with the finding that was missed" wrong '^ +- files:\*$'
check "with the finding that nobody expected" wrong '^ +\+ stop dockerfile:effective_user, .*no-root'
check "--run selects by name" says 0 '1 passed, 0 failed' bw test --run nobody "$BW_TMP/wrong.test.yaml"
check "--run of no case" says 2 'no case has this' bw test --run somebody "$BW_TMP/wrong.test.yaml"
bw test --output json "$BW_TMP/wrong.test.yaml" >"$BW_TMP/wrong.json" || true
check "JSON tells the same" test "$(json "$BW_TMP/wrong.json" '[d["failed"], d["files"][0]["cases"][0]["line"], d["files"][0]["cases"][0]["differences"][0]["got"]]')" = "[1, 3, 'stop']"
bw test --output junit "$BW_TMP/wrong.test.yaml" >"$BW_TMP/wrong.xml" || true
check "JUnit's XML, too" /usr/bin/python3 - "$BW_TMP/wrong.xml" <<'PY'
import sys, xml.etree.ElementTree as tree
suite = tree.parse(sys.argv[1]).getroot().find("testsuite")
assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "1", "0"), suite.attrib
assert suite.findall("testcase")[0].find("failure").text.startswith("action: - go"), suite
PY

file misspelt.test.yaml <<'Y'
bundle: prod.json
cases:
  - name: a
    facts: {user: root, pakages: []}
    expect:
      acton: stop
      findings: [{gate: dockerfil}, {gate: files, trigger: name_mach}]
Y
misspelt() { says 2 "misspelt.test.yaml:$1" bw test "$BW_TMP/misspelt.test.yaml"; }
check "a misspelt key, with line, path and the nearest word" misspelt '6:[0-9]+: error: /cases/0/expect/acton: .*did you mean action'
check "a misspelt fact" misspelt '4:[0-9]+: error: /cases/0/facts/pakages: .*did you mean packages'
check "a misspelt gate" misspelt '7:[0-9]+: error: /cases/0/expect/findings/0/gate: .*did you mean dockerfile'
check "a misspelt trigger" misspelt '7:[0-9]+: error: .*did you mean name_match'

file missing.test.yaml <<'Y'
bundle: prod.json
cases:
  - {name: a, analysis: nowhere.json, expect: {action: stop}}
  - {name: b, bundle: nowhere.yaml, facts: {}, expect: {action: stop}}
  - {name: c, facts: {files: [{path: /a, mode: "0755"}]}, expect: {action: stop}}
  - {name: d, facts: {image: {os: linux, architecture: arm64}}, platform: linux/amd64, expect: {action: stop}}
Y
missing() { says 2 "$1" bw test "$BW_TMP/missing.test.yaml"; }
check "files that are not there are trouble" missing '0 passed, 0 failed, 4 not run'
check "an analysis that is not there" missing 'error: /cases/0/analysis: .*nowhere.json'
check "a bundle that is not there" missing 'error: /cases/1/bundle: .*nowhere.yaml'
check "facts of a wrong type, with their place" missing 'error: /cases/2/facts/files/0/mode: expected an integer'
check "an analysis for another platform" missing 'error: /cases/3: .*linux/arm64'

file inline.test.yaml <<'Y'
bundle:
  id: inline
  version: "1_0"
  policies:
    - id: p
      version: "1_0"
      rules:
        - {id: r, gate: dockerfil, trigger: effective_user, action: STOP, params: []}
  whitelists: []
  mappings:
    - {name: m, registry: "*", repository: "*", image: {type: tag, value: "*"}, policy_ids: [p], whitelist_ids: []}
cases:
  - {name: a, facts: {}, expect: {action: stop}}
Y
check "a fault of a bundle in place, with its line in the test file" says 2 \
    'inline.test.yaml:8:[0-9]+: error: /bundle/policies/0/rules/0/gate: .*dockerfile' bw test "$BW_TMP/inline.test.yaml"

{
    printf 'a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n'
    for i in 1 2 3 4 5 6 7 8; do printf 'a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n' "$i" "$i" $((i - 1)){,,,,,,,,,}; done
} | file bomb.test.yaml
check "aliases that multiply are refused" says 2 'bomb.test.yaml: .*(more|limit|nodes)' bw test "$BW_TMP/bomb.test.yaml"
/usr/bin/python3 -c 'print("bundle: prod.json\ncases:\n- {name: a, facts: {dockerfile: \"" + "x" * (5 << 20) + "\"}, expect: {action: go}}")' | file large.test.yaml
check "so is a file of 5 MiB" says 2 'large.test.yaml' bw test "$BW_TMP/large.test.yaml"
printf 'bundle: prod.json\ncases: [' | file torn.test.yaml
check "and what is no YAML, with its line" says 2 'torn.test.yaml: line [0-9]+' bw test "$BW_TMP/torn.test.yaml"
printf '\377\376\0\1' | file binary.test.yaml
check "and what is no text" says 2 'binary.test.yaml' bw test "$BW_TMP/binary.test.yaml"
check "a file that is not there" says 2 'nowhere' bw test "$BW_TMP/nowhere.test.yaml"
check "no file at all" says 2 'needed' bw test

mkdir -p "$BW_TMP/tree/b/c" "$BW_TMP/tree/.hidden" "$BW_TMP/empty"
cp "$BW_TMP/prod.json" "$BW_TMP/tree/"
for name in b/c/z_test.yaml a.test.yaml .hidden/x.test.yaml b/notes.yaml; do
    printf 'bundle: %s/prod.json\ncases: [{name: root, facts: {user: root}, expect: {action: stop}}]\n' "$BW_TMP/tree" >"$BW_TMP/tree/$name"
done
ln -s .. "$BW_TMP/tree/b/up"
in_order() {
    bw test "$BW_TMP/tree" >"$BW_TMP/tree.out" && cat "$BW_TMP/tree.out"
    [ "$(sed -n 's|^ok - .*/tree/\(.*\): root$|\1|p' "$BW_TMP/tree.out" | tr '\n' ' ')" = "a.test.yaml b/c/z_test.yaml " ]
}
check "folders are entered, sorted, hidden ones and links passed over" in_order
check "a folder without tests is trouble" says 2 'no file named' bw test "$BW_TMP/empty"
rm "$BW_TMP/tree/b/notes.yaml"
check "breakwater check passes over tests beside bundles" says 0 'prod.json: 0 errors' bw check --strict "$BW_TMP/tree"
mkdir -p "$BW_TMP/serve/bundles"
cp "$BW_TMP/prod.json" "$BW_TMP/wrong.test.yaml" "$BW_TMP/serve/bundles/"
printf '\n' | serve_start serve
only_bundles() {
    curl -sf "$(cat "$BW_TMP/serve/metrics")/metrics" | grep '^breakwater_bundle_valid' | tee "$BW_TMP/valid"
    [ "$(cat "$BW_TMP/valid")" = 'breakwater_bundle_valid{bundle="demo",origin="file prod.json"} 1' ]
}
check "so does breakwater serve" only_bundles
serve_stop serve
done_testing
