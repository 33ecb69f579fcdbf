#!/usr/bin/env bash
# ConfigMaps with bundles, and the label that exempts a namespace: what the two further endpoints answer, to hostile bodies
# as well; what log and metrics tell of it.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/integration/rig.sh
. tests/integration/rig.sh

mkdir -p "$BW_TMP/serve/bundles" "$BW_TMP/bodies"
cp docs/examples/demo-bundle.json "$BW_TMP/serve/bundles/demo.json"
serve_start serve <<'Y'
exemptNamespaces: ["build-*"]
exemptionAdmins: {users: [root@example.com], groups: [platform]}
Y
base=$(sed 's|/validate$||' "$BW_TMP/serve/url")

# The bodies, by name: PATH/NAME.json
/usr/bin/python3 - "$BW_TMP/bodies" docs/examples/demo-bundle.json <<'P'
import base64, gzip, json, os, sys
folder, demo = sys.argv[1], open(sys.argv[2]).read()

def review(resource, operation, now, before=None, user="jane", groups=()):
    kind = {"configmaps": "ConfigMap", "namespaces": "Namespace"}[resource]
    name = (now or before)["metadata"]["name"]
    return {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": {
        "uid": "0b4eb6d4-2a2a-4a0c-8a86-5c5fa5b41e7c", "kind": {"group": "", "version": "v1", "kind": kind},
        "resource": {"group": "", "version": "v1", "resource": resource}, "name": name, "namespace": "breakwater",
        "operation": operation, "userInfo": {"username": user, "groups": list(groups)},
        "object": now, "oldObject": before, "dryRun": False}}

def config_map(data, label="prod", binary=None):
    labels = {} if label is None else {"breakwater.io/bundle": label}
    return {"metadata": {"name": "prod", "labels": labels}, "data": data, "binaryData": binary or {}}

def namespace(label, name="team-a"):
    return {"metadata": {"name": name, "labels": {} if label is None else {"breakwater.io/admission": label}}}

def write(name, body, escape=False):
    text = body if isinstance(body, str) else json.dumps(body)
    if escape:  # as Go writes it
        text = text.replace("<", "\\u003c")
    with open(os.path.join(folder, name), "w") as file:
        file.write(text)

packed = lambda text: base64.b64encode(gzip.compress(text.encode(), 9)).decode()
twisted = demo.replace('"exposed_ports"', '"exposed_prots"').replace('"effective_user"', '"effective_usr"')
padded = demo.rstrip()[:-1] + ',"comment":"' + "<" * 1000000 + '"}'
write("good", review("configmaps", "CREATE", config_map({"prod.json": demo})))
write("bad", review("configmaps", "CREATE", config_map({"prod.json": twisted, "other.yaml": "id: [\n"})))
write("unlabelled", review("configmaps", "CREATE", config_map({"prod.json": "{"}, None)))
write("removed", review("configmaps", "UPDATE", config_map({"prod.json": "{"}, None), config_map({}, "active")))
write("deleted", review("configmaps", "DELETE", None, config_map({}, "active")))
write("garbage", review("configmaps", "CREATE", config_map({"prod.json": "\u0001<" * 524288})), True)
write("large", review("configmaps", "UPDATE", config_map({"prod.json": padded}), config_map({"prod.json": padded})), True)
write("bomb", review("configmaps", "CREATE", config_map({}, "prod", {f"{i}.json.gz": packed(" " * 2**24 + "{") for i in range(5)})))
write("values", review("configmaps", "CREATE", config_map({}, "prod", {"a.json.gz": packed('{"id":"a","version":"1_0","x":[' + "{}," * 5500000 + "0]}")})))
write("nul", json.dumps(review("configmaps", "CREATE", config_map({"a.json": '{"id":"a\\u0000b","version":"1_0","policies":[],"mappings":[]}'}))))
write("duplicate", json.dumps(review("configmaps", "CREATE", config_map({"a.json": "{"}))).replace('"data":', '"data": {}, "data":'))
write("too-large", " " * (24 * 2**20 + 1))
write("set", review("namespaces", "UPDATE", namespace("ignore"), namespace(None)))
write("set-by-admin", review("namespaces", "UPDATE", namespace("ignore"), namespace(None), "joe", ["platform"]))
write("set-in-build", review("namespaces", "UPDATE", namespace("ignore", "build-7"), namespace(None, "build-7")))
write("unset", review("namespaces", "UPDATE", namespace(None), namespace("ignore")))
write("cut", json.dumps(review("namespaces", "UPDATE", namespace("ignore"), namespace(None)))[:-3])
P

send() { # PATH BODY: status and answer
    curl -s --cacert "$BW_TMP/certs/ca.crt" -H 'Content-Type: application/json' -w '\nstatus %{http_code}\n' \
        --data-binary "@$BW_TMP/bodies/$2" "$base/$1?timeout=30s"
}
answer() { # EXPRESSION PATH BODY: true of the response r
    send "$2" "$3" >"$BW_TMP/answer"
    cut -c1-1500 "$BW_TMP/answer"
    head -n 1 "$BW_TMP/answer" >"$BW_TMP/answer.json"
    /usr/bin/python3 -c 'import json, sys; r = json.load(open(sys.argv[1]))["response"]; w = r.get("warnings", []); s = r.get("status", {}); c = s.get("details", {}).get("causes", []); sys.exit(0 if eval(sys.argv[2]) else 1)' \
        "$BW_TMP/answer.json" "$1"
}
check "a good bundle is admitted" answer 'r["allowed"] and not s' validate-bundle good
check "a bad one is Invalid, with every fault of every key" answer \
    'not r["allowed"] and s["code"] == 422 and s["reason"] == "Invalid" and {x["field"] for x in c} >= {"data[other.yaml]"} and sum(x["field"].endswith("/trigger") for x in c) > 1' \
    validate-bundle bad
check "with place and suggestion" answer \
    'any("line 2 column" in x["message"] for x in c) and any("(did you mean exposed_ports?)" in x["message"] for x in c)' validate-bundle bad
check "no label: no look" answer 'r["allowed"] and not w' validate-bundle unlabelled
check "the label is taken from the default bundle: admitted, and warned" answer 'r["allowed"] and "labelled active" in w[0]' validate-bundle removed
check "the default bundle is deleted: admitted, and warned" answer 'r["allowed"] and "labelled active" in w[0]' validate-bundle deleted
check "1 MiB of garbage" answer 'not r["allowed"] and len(c) == 1 and c[0]["reason"] == "syntax"' validate-bundle garbage
check "an UPDATE of 12 MB" bash -c "[ \$(stat -c %s '$BW_TMP/bodies/large') -gt 12000000 ]"
check "is looked at" answer 'r["allowed"]' validate-bundle large
check "what inflates beyond a bundle's size is refused" answer 'not r["allowed"] and "16777216 bytes once decompressed" in c[0]["message"]' \
    validate-bundle bomb
check "what would be millions of values is refused" answer 'not r["allowed"] and c[0]["reason"] == "limit"' validate-bundle values
most_memory() { # KIB
    local kib
    kib=$(awk '/VmHWM/ {print $2}' "/proc/$(cat "$BW_TMP/serve/pid")/status")
    echo "$kib KiB"
    [ "$kib" -lt "$1" ]
}
if grep -q __asan_init "$BW_PROGRAM"; then
    skip "none of that took much memory" "sanitizers take more"
else
    check "none of that took much memory" most_memory 200000
fi
check "a NUL is read" answer 'r["allowed"] and any("NUL" in x for x in w)' validate-bundle nul
check "of two keys the last counts" answer 'not r["allowed"]' validate-bundle duplicate
check "a body beyond the limit" says 0 'status 413' send validate-bundle too-large
served_meanwhile() { # bundles keep their thread busy; pods are answered
    local i pids=()
    for i in 1 2 3 4 5 6; do
        send validate-bundle bomb >"$BW_TMP/busy.$i" 2>&1 &
        pids+=($!)
    done
    review serve pod-create image=No/Reference
    wait "${pids[@]}"
    ! grep -L 'status 200' "$BW_TMP"/busy.* | grep .
}
check "pods are answered meanwhile" served_meanwhile
check "who has no time is admitted unchecked" says 0 'not checked: ' \
    curl -s --cacert "$BW_TMP/certs/ca.crt" -H 'Content-Type: application/json' --data-binary "@$BW_TMP/bodies/bad" "$base/validate-bundle?timeout=1s"

check "the label is set by somebody: forbidden" answer \
    'not r["allowed"] and s["code"] == 403 and s["reason"] == "Forbidden" and "jane" in s["message"] and "platform" in s["message"]' validate-namespace set
check "by an admin" answer 'r["allowed"]' validate-namespace set-by-admin
check "in a namespace that may be exempt" answer 'r["allowed"]' validate-namespace set-in-build
check "it is taken away" answer 'r["allowed"]' validate-namespace unset
check "a review that cannot be read is no permission" says 0 'status 400' send validate-namespace cut
check "another path" says 0 'status 404' send validate-others good

metrics() { curl -sf "$(cat "$BW_TMP/serve/metrics")/metrics"; }
check "denials are counted by what they were" says 0 \
    'breakwater_admission_requests_total\{resource="namespaces",operation="UPDATE",decision="deny",reason="exemption_label",mode="",dry_run="false"\} 1' metrics
check "images are counted by verdict" says 0 'breakwater_image_evaluations_total\{verdict="error"\} 1' metrics
line() { grep '"admission"' "$BW_TMP/serve/log" | grep "$1" | tail -n 1 >"$BW_TMP/line.json" && json "$BW_TMP/line.json" "$2"; }
check "the log has who, what and how long" says 0 "^\('jane', 'ConfigMap', 'CREATE', False, True, True\)$" \
    line bundle_valid '(d["user"], d["kind"], d["operation"], d["dryRun"], d["durationMs"] >= 0, d["deadlineMs"] > 20000)'
check "and of a pod its images" says 0 "^\('No/Reference', 'spec.containers\[0\].image', 'error'\)$" \
    line No/Reference 'tuple(d["images"][0][k] for k in ("image", "field", "verdict"))'
serve_stop serve

printf 'log: {admits: none}\n' >>"$BW_TMP/serve/config.yaml"
serve_again serve
base=$(sed 's|/validate$||' "$BW_TMP/serve/url")
send validate-bundle good >/dev/null
send validate-bundle bad >/dev/null
check "log.admits: none leaves denials alone" says 0 '^\["bundle_invalid"\]$' bash -c \
    "grep '\"admission\"' '$BW_TMP/serve/log' | jq -sc 'map(.reason)'"
serve_stop serve
check "the server did not complain of itself" sound
done_testing
