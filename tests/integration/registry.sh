# shellcheck shell=bash
# Real registries for tests, beside hack/lib.sh. Each has a folder of its own and listens on 127.0.0.1, named localhost:
#
#   make_ca DIR                      a CA: DIR/ca.crt, DIR/ca.key
#   make_cert CADIR FILE SAN…        FILE.crt and FILE.key for server names such as DNS:localhost IP:127.0.0.1
#   registry_start DIR MODE [PORT]   plain | tls | basic | token, the latter three over TLS by the CA in DIR/../ca
#   registry_stop DIR                and its token server
#   registry_host DIR                "localhost:PORT"
#   registry_push DIR LAYOUT         every image of tests/images/list
#   registry_requests DIR            how many manifest and blob requests it has answered
#
# With an array BW_INSIDE (a command, such as nsenter) all of it happens inside of that: 127.0.0.1 is then another's.
# basic and token know the user alice with the password s3cret, who may do everything. token lets anybody pull public/*,
# breakwater (pull0nly) pull shop/*, and bob (hunter2) pull shop/web alone.

[ -n "${BW_INSIDE+x}" ] || BW_INSIDE=()

make_ca() {
    mkdir -p "$1"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=test-ca \
        -keyout "$1/ca.key" -out "$1/ca.crt" -addext basicConstraints=critical,CA:TRUE \
        -addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null
}

make_cert() {
    local ca=$1 file=$2
    shift 2
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=test-server -keyout "$file.key" \
        -out "$file.csr" 2>/dev/null
    openssl x509 -req -in "$file.csr" -CA "$ca/ca.crt" -CAkey "$ca/ca.key" -set_serial "0x$(openssl rand -hex 8)" -days 30 \
        -out "$file.crt" -extfile <(printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth\n' "$(IFS=, && echo "$*")") \
        2>/dev/null
    rm -f "$file.csr"
}

registry_start() {
    local dir=$1 mode=$2 port=${3:-0} ca=$1/../ca
    mkdir -p "$dir/store"
    dir=$(cd "$dir" && pwd)
    printf '%s' "$mode" >"$dir/mode"
    if [ "$mode" != plain ]; then
        [ -s "$ca/ca.crt" ] || make_ca "$ca"
        make_cert "$ca" "$dir/server" DNS:localhost IP:127.0.0.1
    fi
    cat >"$dir/registry.yml" <<Y
version: 0.1
log: {level: info, accesslog: {disabled: false}}
storage:
  filesystem: {rootdirectory: "$dir/store"}
  delete: {enabled: true}
  maintenance: {uploadpurging: {enabled: false}}
http:
  addr: 127.0.0.1:$port
  secret: not-shared-with-anybody
Y
    [ "$mode" = plain ] || printf '  tls: {certificate: "%s", key: "%s"}\n' "$dir/server.crt" "$dir/server.key" \
        >>"$dir/registry.yml"
    case $mode in
    basic)
        # "s3cret" by bcrypt, the only digest that the registry takes
        # shellcheck disable=SC2016
        printf 'alice:%s\n' '$2y$05$breakwaterTestSalt000u1Xk62sQbKD07u6LHjcjygbx0Ds.wVqi' >"$dir/htpasswd"
        printf 'auth:\n  htpasswd: {realm: test, path: "%s"}\n' "$dir/htpasswd" >>"$dir/registry.yml"
        ;;
    token)
        token_server_start "$dir"
        printf 'auth:\n  token: {realm: "https://localhost:%s/token", service: registry.test, issuer: test-issuer, ' \
            "$(cat "$dir/token/port")" >>"$dir/registry.yml"
        printf 'rootcertbundle: "%s"}\n' "$dir/token/signer.crt" >>"$dir/registry.yml"
        ;;
    esac
    setsid "${BW_INSIDE[@]}" docker-registry serve "$dir/registry.yml" >"$dir/log" 2>&1 </dev/null &
    echo $! >"$dir/pid"
    on_exit registry_stop "$dir"
    wait_for 10 grep -qE 'listening on 127\.0\.0\.1:[0-9]+' "$dir/log" ||
        die "docker-registry ($mode) did not start: $(tail -n 1 "$dir/log")"
    grep -oE 'listening on 127\.0\.0\.1:[0-9]+' "$dir/log" | head -n 1 | grep -oE '[0-9]+$' >"$dir/port"
}

# token_server_start DIR [options of token_server.py]
token_server_start() {
    local dir=$1
    shift
    mkdir -p "$dir/token"
    rm -f "$dir/token/port"
    if [ ! -s "$dir/token/accounts.json" ]; then
        cat >"$dir/token/accounts.json" <<'J'
{"": {"grants": {"public/*": ["pull"]}},
 "alice": {"password": "s3cret", "grants": {"*": ["pull", "push"]}},
 "bob": {"password": "hunter2", "grants": {"shop/web": ["pull"]}},
 "breakwater": {"password": "pull0nly", "grants": {"shop/*": ["pull"]}}}
J
    fi
    [ -s "$dir/token/signer.crt" ] || openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=token-signer \
        -keyout "$dir/token/signer.key" -out "$dir/token/signer.crt" 2>/dev/null
    setsid "${BW_INSIDE[@]}" /usr/bin/python3 "$BW_ROOT/tests/integration/token_server.py" --state "$dir/token" --cert "$dir/server.crt" \
        --key "$dir/server.key" --signer-cert "$dir/token/signer.crt" --signer-key "$dir/token/signer.key" \
        --accounts "$dir/token/accounts.json" "$@" >"$dir/token/log" 2>&1 </dev/null &
    echo $! >"$dir/token/pid"
    on_exit stop_pid_file "$dir/token/pid"
    wait_for 10 test -s "$dir/token/port" || die "the token server did not start: $(tail -n 1 "$dir/token/log")"
}

registry_stop() {
    stop_pid_file "$1/pid"
    stop_pid_file "$1/token/pid"
}

registry_host() { printf 'localhost:%s' "$(cat "$1/port")"; }

registry_push() {
    local dir=$1 how=()
    case $(cat "$dir/mode") in
    plain) how=(--dest-tls-verify=false) ;;
    tls) how=(--dest-cert-dir "$dir/../ca") ;;
    *) how=(--dest-cert-dir "$dir/../ca" --dest-creds alice:s3cret) ;;
    esac
    # skopeo takes ca.crt of a folder as a CA, and a .key beside it as a client's
    if [ "$(cat "$dir/mode")" != plain ]; then
        mkdir -p "$dir/trust"
        cp "$dir/../ca/ca.crt" "$dir/trust/"
        how[1]=$dir/trust
    fi
    "${BW_INSIDE[@]}" "$BW_ROOT/tests/images/push" "$2" "$(registry_host "$dir")" "${how[@]}"
}

# Lines of the access log: 127.0.0.1 - - [time] "GET /v2/NAME/manifests/TAG HTTP/1.1" 200 …
registry_requests() {
    grep -cE '"(GET|HEAD) /v2/[^ ]+/(manifests|blobs)/[^ ]+ HTTP' "$1/log" || true
}

# fault_start DIR LAYOUT: tests/integration/fault_registry.py, plain HTTP; registry_host DIR names it as well.
fault_start() {
    mkdir -p "$1"
    rm -f "$1/port"
    setsid /usr/bin/python3 "$BW_ROOT/tests/integration/fault_registry.py" --layout "$2" --state "$1" >"$1/log" 2>&1 </dev/null &
    echo $! >"$1/pid"
    on_exit stop_pid_file "$1/pid"
    wait_for 10 test -s "$1/port" || die "the scripted registry did not start: $(tail -n 1 "$1/log")"
}
