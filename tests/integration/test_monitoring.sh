#!/usr/bin/env bash
# /metrics as Prometheus reads it, the alerting rules against series that raise them and series that do not, and that
# rules and dashboard speak only of metrics that there are.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/integration/rig.sh
. tests/integration/rig.sh

rules=manifests/monitoring/alerts.yaml
dashboard=manifests/monitoring/dashboard.json

# promtool, from Debian's package, which is unpacked and not installed: it would start a server.
find_promtool() {
    local cached=$BW_CACHE/promtool
    promtool=$(command -v promtool || true)
    [ -z "$promtool" ] || return 0
    if [ ! -x "$cached" ]; then
        (
            mkdir -p "$BW_CACHE" "$BW_TMP/deb" && cd "$BW_TMP/deb" &&
                apt-get download prometheus && dpkg -x prometheus_*.deb . &&
                install -m 755 usr/bin/promtool "$cached.new.$$" && mv "$cached.new.$$" "$cached"
        ) >"$BW_TMP/promtool.log" 2>&1 || return 1
    fi
    promtool=$cached
}

mkdir -p "$BW_TMP/monitored/bundles"
cp docs/examples/demo-bundle.json "$BW_TMP/monitored/bundles/"
serve_start monitored <<'YAML'
negativeTTL: 1s
YAML
metrics=$(cat "$BW_TMP/monitored/metrics")
review monitored pod-create image=No/Reference >/dev/null # refused at once: now there is an admission
curl -sf "$metrics/metrics" >"$BW_TMP/metrics.txt"

named() { # a metric that is exposed, or that some file of the program names
    local name=${1%_bucket}
    grep -q "^# TYPE $name " "$BW_TMP/metrics.txt" || grep -rqF "\"$name\"" --include='*.c' webhook image cli k8s base
}
all_named() { # FILE
    local name status=0
    while read -r name; do
        named "$name" || {
            echo "$1: nothing exposes $name"
            status=1
        }
    done < <(grep -oE '\b(breakwater|process)_[a-z_]+' "$1" | sort -u)
    return "$status"
}
check "the alerting rules speak of metrics that there are" all_named "$rules"
check "so does the dashboard" all_named "$dashboard"
check "the dashboard is a JSON document with panels" test "$(json "$dashboard" 'len(d["panels"]) > 8 and len({p["id"] for p in d["panels"]}) == len(d["panels"])')" = True
check "admissions are counted" grep -qE '^breakwater_admission_requests_total\{.*\} 1$' "$BW_TMP/metrics.txt"
check "the process is told" grep -qE '^process_resident_memory_bytes [0-9.e+]+$' "$BW_TMP/metrics.txt"

if find_promtool; then
    check "promtool finds nothing to say about /metrics" bash -c "'$promtool' check metrics <'$BW_TMP/metrics.txt'"
    check "the rules are well-formed" "$promtool" check rules "$rules"
    check "every alert fires for its reason and is silent without it" "$promtool" test rules manifests/monitoring/alerts_test.yaml
else
    skip "promtool over /metrics and the alerting rules" "the package prometheus cannot be downloaded"
fi
done_testing
