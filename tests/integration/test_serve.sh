#!/usr/bin/env bash
# The program as a process: what it says to bad requests, bad bundles, bad settings and a bad machine, and that none of it
# takes it down.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/integration/rig.sh
. tests/integration/rig.sh

layout=$(tests/images/make)
registry_start "$BW_TMP/plain" plain
registry_push "$BW_TMP/plain" "$layout" >"$BW_TMP/push.log" 2>&1
host=$(registry_host "$BW_TMP/plain")
registry_settings() {
    printf 'registry:\n  allowAddresses: [127.0.0.0/8]\n  hosts: {"%s": {plainHTTP: true}}\n' "$host"
    printf 'defaultPlatforms: [linux/amd64]\n'
}
mkdir -p "$BW_TMP/serve/bundles"
cp docs/examples/demo-bundle.json "$BW_TMP/serve/bundles/demo.json"
{ registry_settings && printf 'cache: {dir: "%s"}\n' "$BW_TMP/serve/cache"; } | serve_start serve
url=$(cat "$BW_TMP/serve/url") health=$(cat "$BW_TMP/serve/health") metrics=$(cat "$BW_TMP/serve/metrics")

# ---- requests ----
send() { # STATUS PATTERN curl options: what the webhook port answers
    local wanted=$1 pattern=$2
    shift 2
    says 0 "^($wanted)\$" curl -s -o "$BW_TMP/body" -w '%{http_code}' --max-time 20 --cacert "$BW_TMP/certs/ca.crt" "$@"
    local status=$?
    head -c 500 "$BW_TMP/body"
    grep -qE "$pattern" "$BW_TMP/body" && [ "$status" = 0 ]
}
json_type=(-H 'Content-Type: application/json')
head -c 30000000 /dev/zero | tr '\0' ' ' >"$BW_TMP/large"
printf '{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"operation":"CREATE"}}' >"$BW_TMP/no-uid"
tests/integration/admissions.py post --print pod-create image="$host/shop/hello:1.0" >"$BW_TMP/good.json"
check "a good review" send 200 '"allowed": ?true' "${json_type[@]}" -d @"$BW_TMP/good.json" "$url?timeout=10s"
check "a body over the limit is 413" send 413 . "${json_type[@]}" --data-binary @"$BW_TMP/large" "$url"
check "not JSON is 400" send '400' . "${json_type[@]}" -d 'hello' "$url"
check "an empty body is 400" send '400' . "${json_type[@]}" -d '' "$url"
check "another media type is 415" send 415 . -H 'Content-Type: text/plain' -d @"$BW_TMP/good.json" "$url"
check "another method is 405" send 405 . "$url"
check "another path is 404" send 404 . "${json_type[@]}" -d @"$BW_TMP/good.json" "${url%/validate}/elsewhere"
check "a review without uid is an HTTP error" send '400|500' . "${json_type[@]}" -d @"$BW_TMP/no-uid" "$url"
check "a timeout that is none is taken as ten seconds" send 200 '"allowed": ?true' "${json_type[@]}" -d @"$BW_TMP/good.json" \
    "$url?timeout=soon"
/usr/bin/python3 -c 'print("[" * 200000)' >"$BW_TMP/deep"
check "a body of 200000 brackets" send '400' . "${json_type[@]}" --data-binary @"$BW_TMP/deep" "$url"
check "chunked bodies" send 200 '"allowed": ?true' "${json_type[@]}" -H 'Transfer-Encoding: chunked' -d @"$BW_TMP/good.json" "$url"
check "HTTP/1.1 is all that the webhook port speaks" says 0 '^1\.1$' curl -s -o /dev/null -w '%{http_version}' --http2 \
    --cacert "$BW_TMP/certs/ca.crt" "${json_type[@]}" -d @"$BW_TMP/good.json" "$url"
check "the certificate is not believed without the CA" says 60 . curl -s -S --cacert /etc/ssl/certs/ca-certificates.crt "$url"
check "plain HTTP on the webhook port harms nothing" says '52|56|0|1' . bash -c "curl -s -S 'http://${url#https://}'; echo \"status \$?\""
half_requests() { # connections that send half a request and nothing more
    /usr/bin/python3 - "$url" <<'PY'
import socket, sys, urllib.parse
parts = urllib.parse.urlsplit(sys.argv[1])
held = [socket.create_connection((parts.hostname, parts.port)) for _ in range(50)]
for one in held[:25]:
    one.sendall(b"\x16\x03\x01\x02")
print(len(held))
PY
}
check "fifty half-open connections" half_requests
check "a good review after all that" send 200 '"allowed": ?true' "${json_type[@]}" -d @"$BW_TMP/good.json" "$url?timeout=10s"

# ---- health and metrics ----
check "/livez" says 0 . curl -sf "$health/livez"
check "/readyz" says 0 . curl -sf "$health/readyz?verbose"
check "/metrics" says 0 'breakwater_' curl -sf "$metrics/metrics"

# ---- bundles ----
refused() { review serve pod-create image="$host/$1" | tee /dev/stderr | grep -q '"allowed": false'; }
admitted() { review serve pod-create image="$host/$1" | tee /dev/stderr | grep -q '"allowed": true'; }
edit() { # Python on the bundle b
    /usr/bin/python3 - "$BW_TMP/serve/bundles/demo.json" "$1" <<'PY'
import json, os, sys
b = json.load(open("docs/examples/demo-bundle.json"))
exec(sys.argv[2])
with open(sys.argv[1] + ".new", "w") as out:
    json.dump(b, out)
os.rename(sys.argv[1] + ".new", sys.argv[1])
PY
}
check "before: setuid files are a warning" admitted shop/report:2.0
edit 'b["policies"][0]["rules"][6]["action"] = "STOP"'
check "an edited bundle is in force at once" wait_for 5 refused shop/report:2.0
edit 'b["policies"][0]["rules"][6]["trigger"] = "suid_or_guid_sett"'
check "a bundle with a fault is logged with place and suggestion" wait_for 5 \
    grep -q '/policies/0/rules/6/trigger.*suid_or_guid_set' "$BW_TMP/serve/log"
check "and the last good one stays in force" refused shop/report:2.0
printf 'half a bundle {"version": ' >"$BW_TMP/serve/bundles/demo.json"
sleep 0.5
check "half a file changes nothing" refused shop/report:2.0
edit 'pass'
check "a mended bundle is in force again" wait_for 5 admitted shop/report:2.0
rm "$BW_TMP/serve/bundles/demo.json"
check "without any bundle: denied, and said" wait_for 5 bash -c "
    tests/integration/admissions.py post --url '$url' --ca '$BW_TMP/certs/ca.crt' pod-create image='$host/shop/hello:1.0' |
        grep -E '\"allowed\": false.*bundle'"
edit 'pass'
check "and back" wait_for 5 admitted shop/report:2.0

# ---- a certificate is replaced as a Secret volume does it ----
serial() { openssl s_client -connect "${url:8:-9}" -servername localhost </dev/null 2>/dev/null | openssl x509 -noout -serial; }
serial >"$BW_TMP/serial"
BW_LIMIT=60 bw certs --out "$BW_TMP/certs2" --dns localhost --ip 127.0.0.1 >/dev/null
cp "$BW_TMP/certs2/tls.crt" "$BW_TMP/certs/tls.crt"
sleep 0.5
check "a certificate without its key is not taken" bash -c "[ '$(serial)' = '$(cat "$BW_TMP/serial")' ]"
cp "$BW_TMP/certs2/tls.key" "$BW_TMP/certs/tls.key"
cp "$BW_TMP/certs2/ca.crt" "$BW_TMP/certs/ca.crt"
new_serial() { [ "$(serial)" != "$(cat "$BW_TMP/serial")" ]; }
check "with its key it is, without a restart" wait_for 5 new_serial
check "and clients of the new CA are served" admitted shop/report:2.0

# ---- the end ----
check "SIGTERM ends it" bash -c "kill $(cat "$BW_TMP/serve/pid"); for i in {1..100}; do kill -0 $(cat "$BW_TMP/serve/pid") 2>/dev/null || exit 0; sleep 0.1; done; exit 1"
check "its last line says so" grep -q '"stopped"' "$BW_TMP/serve/log"

# ---- again on the same cache ----
serve_again serve
url=$(cat "$BW_TMP/serve/url")
check "a known image after a restart: one request, for the tag" costs 1 "$BW_TMP/plain" admitted shop/report:2.0
serve_stop serve
find "$BW_TMP/serve/cache" -type f -exec sh -c 'head -c 5000 /dev/urandom >"$1"' _ {} \;
serve_again serve
check "a corrupt cache is set aside, and said" grep -q 'corrupt' "$BW_TMP/serve/log"
check "and the image is analysed again" admitted shop/report:2.0
serve_stop serve

# ---- a disk that is full ----
mkdir "$BW_TMP/small"
if mount -t tmpfs -o size=256k tmpfs "$BW_TMP/small" 2>/dev/null; then
    on_exit umount "$BW_TMP/small"
    mkdir -p "$BW_TMP/full/bundles" "$BW_TMP/small/cache"
    cp docs/examples/demo-bundle.json "$BW_TMP/full/bundles/demo.json"
    { registry_settings && printf 'cache: {dir: "%s"}\n' "$BW_TMP/small/cache"; } | serve_start full
    head -c 1000000 /dev/zero >"$BW_TMP/small/fill" 2>/dev/null || true
    full_admits() { review full pod-create image="$host/$1" | tee /dev/stderr | grep -q '"allowed": true'; }
    check "a full disk: images are judged all the same" full_admits shop/report:2.0
    check "and again" full_admits shop/hello:1.0
    serve_stop full
else
    skip "a full disk" "no tmpfs can be mounted"
fi

# ---- starting ----
start_says() { # PATTERN, with a configuration on descriptor 3
    cat <&3 >"$BW_TMP/start.yaml"
    says '1|2' "$1" bw serve --config "$BW_TMP/start.yaml"
}
listen='server: {listen: "127.0.0.1:0", healthListen: "127.0.0.1:0", metricsListen: "127.0.0.1:0"}'
bundles="bundles: {dir: $BW_TMP/serve/bundles}"
tls="tls: {certFile: $BW_TMP/certs/tls.crt, keyFile: $BW_TMP/certs/tls.key}"
check "a typo in the configuration: file, line and suggestion" start_says 'start.yaml:2:.*listn.*listen' 3<<Y
$tls
server: {listn: "127.0.0.1:0"}
Y
check "every fault of a configuration at once" start_says 'maxInFlight' 3<<Y
registry: {tagTTLL: 3s}
server: {maxInFlight: many}
Y
check "and the first of them too" says 2 'tagTTLL.*tagTTL' bw serve --config "$BW_TMP/start.yaml"
check "a configuration that is not YAML" start_says 'start.yaml' 3<<Y
server: [unclosed
Y
check "a configuration that is not there" says '1|2' 'nowhere.yaml' bw serve --config "$BW_TMP/nowhere.yaml"
bw certs --out "$BW_TMP/certs3" --dns localhost >/dev/null
check "a key of another certificate" start_says 'match|key' 3<<Y
$bundles
$listen
tls: {certFile: $BW_TMP/certs/tls.crt, keyFile: $BW_TMP/certs3/tls.key}
Y
check "a certificate that is not there" start_says 'nowhere.crt' 3<<Y
$bundles
$listen
tls: {certFile: $BW_TMP/nowhere.crt, keyFile: $BW_TMP/certs/tls.key}
Y
/usr/bin/python3 -c '
import socket, sys, time
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen()
open(sys.argv[1], "w").write(str(s.getsockname()[1]))
time.sleep(30)' "$BW_TMP/taken" &
on_exit stop_pid $!
wait_for 5 test -s "$BW_TMP/taken"
check "a port that is taken" start_says 'in use' 3<<Y
$bundles
server: {listen: "127.0.0.1:$(cat "$BW_TMP/taken")", healthListen: "127.0.0.1:0", metricsListen: "127.0.0.1:0"}
$tls
Y
check "no server complained of itself" sound
done_testing
