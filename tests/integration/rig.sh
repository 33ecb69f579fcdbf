# shellcheck shell=bash
# What the scripts test_*.sh share: source it after `set -euo pipefail`, from the repository's root.
#
#   check NAME COMMAND…          one line "ok - NAME" or "not ok - NAME" with what the command printed
#   skip NAME REASON
#   says STATUS PATTERN COMMAND… the command ends with that exit status, and its output matches the extended regex
#                                (or one of several: 0|2)
#   costs MOST DIR COMMAND…      the command succeeds, and makes at most so many requests of the registry in DIR
#   bw …                         the program, with a time limit
#   serve_start NAME [options]   `breakwater serve` with the configuration on standard input, ports of its own choice;
#                                NAME is a folder under $BW_TMP: config.yaml, bundles/, log, and url, health, metrics
#   serve_stop NAME              SIGTERM, and waits
#   review NAME …                tests/integration/admissions.py post to it
#   sound                        no sanitizer has complained in any log of a server
#   done_testing                 last line of every script

# shellcheck source=hack/lib.sh
. hack/lib.sh
# shellcheck source=tests/integration/registry.sh
. tests/integration/registry.sh

BW_PROGRAM=${BREAKWATER:-build/release/breakwater}
case $BW_PROGRAM in /*) ;; *) BW_PROGRAM=$BW_ROOT/$BW_PROGRAM ;; esac
[ -x "$BW_PROGRAM" ] || die "no program at $BW_PROGRAM: hack/build"
# what the environment presets would be trusted besides the tests' own CAs
unset SSL_CERT_FILE SSL_CERT_DIR CURL_CA_BUNDLE REGISTRY_AUTH_FILE
make_tmp
mkdir -p "$BW_TMP/home"
# for a program that was built with sanitizers
export LSAN_OPTIONS=suppressions=$BW_ROOT/tests/integration/lsan.supp:print_suppressions=0
export TSAN_OPTIONS=suppressions=$BW_ROOT/tests/integration/tsan.supp
BW_NOT_OK=0

check() {
    local name=$1 output status=0
    shift
    output=$("$@" 2>&1 </dev/null) || status=$?
    if [ "$status" = 0 ]; then
        printf 'ok - %s\n' "$name"
    else
        BW_NOT_OK=$((BW_NOT_OK + 1))
        printf 'not ok - %s\n' "$name"
        printf '%s\n' "$output" | tail -n 30 | cut -c1-2000 | sed 's/^/    /'
    fi
}
skip() { printf 'skip - %s: %s\n' "$1" "$2"; }

says() {
    local wanted=$1 pattern=$2 output status=0
    shift 2
    output=$("$@" 2>&1) || status=$?
    printf '%s\n(exit status %s, wanted %s and /%s/)\n' "$output" "$status" "$wanted" "$pattern"
    case "|$wanted|" in *"|$status|"*) grep -qE -- "$pattern" <<<"$output" ;; *) return 1 ;; esac
}
costs() {
    local most=$1 dir=$2 before made
    shift 2
    before=$(registry_requests "$dir")
    "$@" || return 1
    sleep 0.1 # the registry writes its log after it has answered
    made=$(($(registry_requests "$dir") - before))
    echo "$made requests"
    [ "$made" -le "$most" ]
}

bw() { HOME=$BW_TMP/home timeout -k 5 "${BW_LIMIT:-60}" "$BW_PROGRAM" "$@"; }

# json FILE EXPRESSION: of the document d, by Python
json() { /usr/bin/python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$1" "$2"; }

# One CA and certificate for all servers of a script.
serve_certificate() {
    [ -s "$BW_TMP/certs/tls.crt" ] ||
        bw certs --out "$BW_TMP/certs" --dns localhost --ip 127.0.0.1 >/dev/null
}

serve_start() {
    local dir=$BW_TMP/$1
    shift
    mkdir -p "$dir/bundles"
    serve_certificate
    {
        printf 'server: {listen: "127.0.0.1:0", healthListen: "127.0.0.1:0", metricsListen: "127.0.0.1:0", debugListen: "127.0.0.1:0"}\n'
        printf 'tls: {certFile: %s, keyFile: %s}\n' "$BW_TMP/certs/tls.crt" "$BW_TMP/certs/tls.key"
        printf 'bundles: {dir: %s}\nshutdown: {delay: 0s}\n' "$dir/bundles"
        cat
    } >"$dir/config.yaml"
    serve_again "${dir##*/}" "$@"
}
serve_again() {
    local dir=$BW_TMP/$1
    shift
    rm -f "$dir/log" # of the run before: it is the new one's that is waited for
    HOME=$BW_TMP/home setsid "$BW_PROGRAM" serve --config "$dir/config.yaml" "$@" >"$dir/log" 2>&1 </dev/null &
    echo $! >"$dir/pid"
    on_exit stop_pid_file "$dir/pid"
    wait_for 10 grep -q '"serving"' "$dir/log" || die "breakwater serve did not start: $(tail -n 3 "$dir/log")"
    grep '"serving"' "$dir/log" | head -n 1 >"$dir/serving"
    printf 'https://%s/validate' "$(json "$dir/serving" 'd["address"]')" >"$dir/url"
    printf 'http://%s' "$(json "$dir/serving" 'd["health"]')" >"$dir/health"
    printf 'http://%s' "$(json "$dir/serving" 'd["metrics"]')" >"$dir/metrics"
    wait_for 10 curl -sf "$(cat "$dir/health")/readyz" || die "breakwater serve is not ready: $(tail -n 3 "$dir/log")"
}
serve_stop() { stop_pid_file "$BW_TMP/$1/pid" 40; }

review() {
    local dir=$BW_TMP/$1
    shift
    tests/integration/admissions.py post --url "$(cat "$dir/url")" --ca "$BW_TMP/certs/ca.crt" "$@"
}

sound() { ! grep -hE -A 40 '(Address|Thread|Leak|UndefinedBehavior)Sanitizer|runtime error:' "$BW_TMP"/*/log; }

done_testing() { [ "$BW_NOT_OK" = 0 ] || exit 1; }
