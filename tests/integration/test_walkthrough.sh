#!/usr/bin/env bash
# The published walk-through bundles, as printed: each rule fires on one demo image and is silent on another, where it can.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/integration/rig.sh
. tests/integration/rig.sh

layout=$(tests/images/make)
bundles=tests/data/bundles
images=(debian-12 shop-1.4 shop-1.5 report-2.0 hello-1.0 settings-1 edge-3.18 legacy-3.9)

judge() { # BUNDLE: every image's findings into $BW_TMP/BUNDLE/IMAGE.json
    local image status
    mkdir -p "$BW_TMP/$1"
    for image in "${images[@]}"; do
        status=0
        bw evaluate --bundle "$bundles/$1.json" --platform linux/amd64 --output json "oci:$layout:$image" \
            >"$BW_TMP/$1/$image.json" 2>"$BW_TMP/$1/$image.log" || status=$?
        [ "$status" -le 1 ] || { cat "$BW_TMP/$1/$image.log" && return 1; }
    done
}
for bundle in walkthrough walkthrough-completed walkthrough-rules; do
    check "$bundle.json loads and decides about ${#images[@]} images" judge "$bundle"
done
alike() {
    local image
    for image in "${images[@]}"; do
        diff <(json "$BW_TMP/walkthrough/$image.json" '[(r["action"], sorted((f["gate"], f["trigger"], f["message"]) for f in r["findings"])) for r in d]') \
            <(json "$BW_TMP/walkthrough-completed/$image.json" '[(r["action"], sorted((f["gate"], f["trigger"], f["message"]) for f in r["findings"])) for r in d]') ||
            return 1
    done
}
check "the bundle as printed and the completed one decide alike" alike

# fires BUNDLE TRIGGER TEXT IMAGE|- IMAGE|-: a finding of the trigger whose message holds the text, on the first image
# and not on the second; - where no image can be
fires() {
    /usr/bin/python3 - "$BW_TMP/$1" "${@:2}" <<'PY'
import json, sys
folder, trigger, text, loud, quiet = sys.argv[1:]


def found(image):
    results = json.load(open(f"{folder}/{image}.json"))
    return [f for r in results for f in r["findings"]
            if f"{f['gate']}:{f['trigger']}" == trigger and text in f["message"] and not f["undecided"]]


for image, expected in ((loud, True), (quiet, False)):
    if image == "-":
        continue
    findings = found(image)
    print(image, "has", len(findings), "findings of", trigger, "with", repr(text), [f["message"] for f in findings][:3])
    if bool(findings) != expected:
        sys.exit(1)
PY
}
while IFS='|' read -r bundle trigger text loud quiet what; do
    check "$bundle: $what" fires "$bundle" "$trigger" "$text" "$loud" "$quiet"
done <<'T'
walkthrough-rules|dockerfile:no_dockerfile_provided||hello-1.0|-|no Dockerfile comes with an image from a registry
walkthrough-rules|dockerfile:instruction|FROM|hello-1.0|-|FROM differs from node:stretch-slim in every guessed Dockerfile
walkthrough-rules|packages:blacklist|openssh-server|shop-1.4|shop-1.5|openssh-server in dpkg's database
walkthrough-rules|packages:blacklist|openssh-server|legacy-3.9|edge-3.18|openssh-server in apk's database
walkthrough-rules|packages:blacklist|libssh2|legacy-3.9|debian-12|libssh2
walkthrough-rules|packages:blacklist|libssh|legacy-3.9|debian-12|libssh
walkthrough-rules|packages:verify|/etc/sshd/sshd_config|shop-1.4|debian-12|ssh's configuration is missing
walkthrough-rules|dockerfile:instruction|ADD|debian-12|hello-1.0|ADD instead of COPY
walkthrough-rules|secret_scans:content_regex_checks|AWS_ACCESS_KEY|shop-1.4|shop-1.5|an AWS access key
walkthrough-rules|secret_scans:content_regex_checks|API_KEY|shop-1.4|shop-1.5|an API key
walkthrough-rules|packages:blacklist|jeIlyfish|legacy-3.9|debian-12|jeIlyfish
walkthrough-rules|packages:blacklist|python3-dateutil|shop-1.4|shop-1.5|python3-dateutil
walkthrough-rules|packages:blacklist|Django|legacy-3.9|edge-3.18|Django 2.2.3
walkthrough-rules|packages:blacklist|mercurial|legacy-3.9|edge-3.18|mercurial 4.8.2
walkthrough-rules|packages:blacklist|Python|legacy-3.9|edge-3.18|Python 2.7.16
walkthrough-rules|files:suid_or_guid_set|/usr/local/bin/raise|shop-1.4|debian-12|a setuid program of its own
walkthrough-rules|files:suid_or_guid_set||debian-12|shop-1.5|Debian's setuid programs, until they are mended
walkthrough-rules|retrieved_files:content_regex|/etc/passwd|debian-12|edge-3.18|root with bash in /etc/passwd
walkthrough-rules|dockerfile:effective_user|root|shop-1.4|shop-1.5|no USER means root
walkthrough-rules|retrieved_files:content_regex|pid_max|-|debian-12|a limit of processes is in no image
walkthrough-rules|metadata:attribute|size|debian-12|settings-1|larger than 125000 bytes
walkthrough-rules|licenses:blacklist_exact_match|GPL-3+|debian-12|hello-1.0|a licence that is not approved
walkthrough|passwd_file:blacklist_userids|0|debian-12|hello-1.0|user id 0 in /etc/passwd
walkthrough|dockerfile:exposed_ports|22|shop-1.4|shop-1.5|port 22 is exposed
T
done_testing
