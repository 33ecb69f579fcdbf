#!/usr/bin/env bash
# Every recorded AdmissionReview is answered: what is admitted without a look, what names an image, and who asked.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/integration/rig.sh
. tests/integration/rig.sh

layout=$(tests/images/make)
registry_start "$BW_TMP/plain" plain
registry_push "$BW_TMP/plain" "$layout" >"$BW_TMP/push.log" 2>&1
host=$(registry_host "$BW_TMP/plain")
mkdir -p "$BW_TMP/serve/bundles"
cp docs/examples/demo-bundle.json "$BW_TMP/serve/bundles/demo.json"
serve_start serve <<Y
registry:
  allowAddresses: [127.0.0.0/8]
  hosts: {"$host": {plainHTTP: true}}
defaultPlatforms: [linux/amd64]
Y
good=$host/shop/hello:1.0 bad=$host/shop/web:1.4

answer() { # EXPRESSION REVIEW CHANGES…: true of the response r
    review serve "${@:2}" >"$BW_TMP/answer.json"
    cat "$BW_TMP/answer.json"
    /usr/bin/python3 -c 'import json, sys; r = json.load(open(sys.argv[1])); sys.exit(0 if eval(sys.argv[2]) else 1)' \
        "$BW_TMP/answer.json" "$1"
}
check "a Pod with a good image" answer 'r["allowed"] and "status" not in r' pod-create image="$good"
check "a Pod with a bad image: 403 Forbidden" \
    answer 'not r["allowed"] and r["status"]["code"] == 403 and r["status"]["reason"] == "Forbidden"' pod-create image="$bad"
check "the message names field, image, gate, trigger, comment, policy and rule" answer \
    'all(w in r["status"]["message"] for w in ("spec.containers[0].image", "shop/web:1.4", "dockerfile:effective_user", "runs as root", "containers", "no-root"))' \
    pod-create image="$bad"
check "causes are for machines" answer \
    '{"dockerfile:effective_user", "dockerfile:exposed_ports"} <= {c["reason"] for c in r["status"]["details"]["causes"]} and r["status"]["details"]["causes"][0]["field"] == "spec.containers[0].image"' \
    pod-create image="$bad"
check "findings of WARN are warnings, each one line" answer \
    'r["allowed"] and r["warnings"] and all(w.startswith("breakwater: ") and "\n" not in w for w in r["warnings"])' \
    pod-create image="$host/shop/report:2.0"
check "audit annotations tell the decision" answer 'r["auditAnnotations"]["decision"] == "deny"' pod-create image="$bad"
for recording in pod-create-dryrun-server pod-create-generatename pod-create-by-replicaset replicaset-create deployment-create \
    job-create cronjob-create; do
    check "$recording, good" answer 'r["allowed"]' "$recording" image="$good"
    check "$recording, bad" answer 'not r["allowed"]' "$recording" image="$bad"
done
check "a CronJob's field is named in full" answer \
    '"spec.jobTemplate.spec.template.spec.containers[0].image" in r["status"]["message"]' cronjob-create image="$bad"
check "an init container counts" answer 'not r["allowed"] and "initContainers" in r["status"]["message"]' \
    pod-create-sidecar-init image="$good" init="$bad"
check "an image volume counts" answer 'not r["allowed"] and "volumes" in r["status"]["message"]' \
    pod-create-image-volume image="$good" volume="$bad"
check "a good image volume" answer 'r["allowed"]' pod-create-image-volume image="$good" volume="$host/shop/settings:1"
check "kubectl debug: the added container counts" answer 'not r["allowed"] and "ephemeralContainers" in r["status"]["message"]' \
    pod-ephemeralcontainers-kubectl-debug image="$good" ephemeral="$bad"
check "kubectl debug: the others were judged before" answer 'r["allowed"]' \
    pod-ephemeralcontainers-kubectl-debug image="$bad" ephemeral="$good"
check "an UPDATE of a label looks at no image" answer 'r["allowed"]' pod-update-label image="$bad"
check "an UPDATE of an image is judged" answer 'not r["allowed"]' pod-update-image \
    request.object.spec.containers.0.image="\"$bad\""
check "a Scale has no image" answer 'r["allowed"]' deployment-scale-update
check "a DELETE is admitted" answer 'r["allowed"]' pod-delete image="$bad"
check "an object that is being deleted" answer 'r["allowed"]' pod-update-label image="$bad" \
    request.oldObject.metadata.deletionTimestamp='"2026-01-01T00:00:00Z"'
check "a malformed image name is 403, not an error" answer 'not r["allowed"] and r["status"]["code"] == 403' pod-create image='UPPER/ x'
check "a NUL in an image name is denied" answer 'not r["allowed"] and "\0" not in r["status"]["message"]' \
    pod-create request.object.spec.containers.0.image='"a\u0000b"'
check "escape sequences in an image name do not reach the terminal" answer \
    'not r["allowed"] and "\x1b" not in json.dumps(r, ensure_ascii=False)' \
    pod-create request.object.spec.containers.0.image='"a\u001b[2Jb:1"'
check "admission v1beta1 is answered in v1beta1" bash -c \
    "tests/integration/admissions.py post --raw --url '$(cat "$BW_TMP/serve/url")' --ca '$BW_TMP/certs/ca.crt' pod-create image='$good' apiVersion='\"admission.k8s.io/v1beta1\"' | grep -q 'admission.k8s.io/v1beta1'"
every_recording() { # a verdict, never an HTTP error
    local file
    for file in tests/data/reviews/*.json; do
        review serve "$(basename "$file" .json)" image="$good" init="$good" ephemeral="$good" volume="$good" >/dev/null || { echo "$file" && return 1; }
    done
}
check "every recording has an answer" every_recording
answer 'r["allowed"]' pod-create image="$good" >/dev/null
check "the second look makes no request" costs 0 "$BW_TMP/plain" answer 'r["allowed"]' pod-create image="$good"
# ---- what no API server sends, or hardly ever ----
/usr/bin/python3 - "$BW_TMP" "$good" "$bad" <<'P'
import json, os, subprocess, sys
folder, good, bad = sys.argv[1:]
os.makedirs(folder + "/bodies")

def write(name, image, change):
    body = json.loads(subprocess.check_output(
        ["tests/integration/admissions.py", "post", "--url", "", "--ca", "", "--print", "pod-create", "image=" + image]))
    change(body, body["request"], body["request"]["object"]["metadata"])
    with open(f"{folder}/bodies/{name}.json", "w") as file:
        json.dump(body, file)

many = {f"k{i:05}": "v" * 80 for i in range(2900)}  # 256 KiB
write("v2", good, lambda body, request, metadata: body.update(apiVersion="admission.k8s.io/v2"))
write("no-version", good, lambda body, request, metadata: body.pop("apiVersion"))
write("other-kind", good, lambda body, request, metadata: body.update(kind="ConversionReview"))
write("patch", bad, lambda body, request, metadata: (
    body.update(response={"uid": request["uid"], "allowed": True, "patch": "W10=", "patchType": "JSONPatch"}),
    request.update(patch="W10=", patchType="JSONPatch", allowed=True)))
write("long-uid", bad, lambda body, request, metadata: request.update(uid="u" * 2**20))
write("no-uid", bad, lambda body, request, metadata: request.pop("uid"))
write("number-uid", bad, lambda body, request, metadata: request.update(uid=7))
write("labels", bad, lambda body, request, metadata: metadata.update(labels=many))
write("annotations", bad, lambda body, request, metadata: metadata.update(annotations={"a/b": "<\n\x1b[2J\0" * 37000}))
write("both", good, lambda body, request, metadata: metadata.update(labels=many, annotations=many))
write("groups", bad, lambda body, request, metadata: request["userInfo"].update(groups=["g" * 250] * 1000))
write("containers", good, lambda body, request, metadata: request["object"]["spec"].update(
    containers=[{"name": f"c{i}", "image": bad if i == 999 else good} for i in range(1000)]))
P
send() { # BODY: status and answer
    curl -s --cacert "$BW_TMP/certs/ca.crt" -H 'Content-Type: application/json' -w '\nstatus %{http_code}\n' \
        --data-binary "@$BW_TMP/bodies/$1.json" "$(cat "$BW_TMP/serve/url")?timeout=20s"
}
answered() { # EXPRESSION BODY: true of the response r
    send "$2" >"$BW_TMP/sent"
    cut -c1-1500 "$BW_TMP/sent"
    head -n 1 "$BW_TMP/sent" >"$BW_TMP/answer.json"
    /usr/bin/python3 -c 'import json, sys; r = json.load(open(sys.argv[1]))["response"]; sys.exit(0 if eval(sys.argv[2]) else 1)' \
        "$BW_TMP/answer.json" "$1"
}
check "a review of another version is none" says 0 'status 400' send v2
check "nor is one without a version" says 0 'status 400' send no-version
check "nor another kind" says 0 'status 400' send other-kind
check "a review that brings its answer is judged, and no patch comes back" answered \
    'not r["allowed"] and "patch" not in r and "patchType" not in r' patch
check "a uid of 1 MiB is an HTTP error" says 0 'status (400|500)' send long-uid
check "a review without uid" says 0 'status 400' send no-uid
check "a uid that is a number" says 0 'status 400' send number-uid
check "labels of 256 KiB open nothing" answered 'not r["allowed"] and r["status"]["code"] == 403' labels
check "nor do annotations full of controls" answered 'not r["allowed"] and r["status"]["code"] == 403' annotations
check "nor do both close anything" answered 'r["allowed"]' both
check "a user of a thousand groups" answered 'not r["allowed"]' groups
check "the last of a thousand containers counts" answered 'not r["allowed"] and "containers[999]" in r["status"]["message"]' containers
no_long_lines() { ! awk 'length > 16384' "$BW_TMP/serve/log" | cut -c1-200 | grep .; }
check "no line of the log is longer than container runtimes take" no_long_lines
serve_stop serve
check "the server did not complain of itself" sound
done_testing
