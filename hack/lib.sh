# shellcheck shell=bash
# Shared by the scripts under hack/ and tests/: steps with their time, Debian packages, ports, and an orderly end.
# Source it after `set -euo pipefail`; it takes over the EXIT trap (use on_exit).

BW_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck disable=SC2034 # for the scripts that source this
BW_CACHE=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/breakwater
export LC_ALL=C.UTF-8
BW_SELF=${0#"$BW_ROOT"/}
BW_STEP=
BW_STEP_BEGAN=
BW_ON_EXIT=()
: "${BW_TMP:=}" # made by make_tmp; also holds the log of the current step
BW_LOG=/dev/null
BW_WHY= # why something cannot be had


say() { printf '%s\n' "$*"; }

# One clear line, and the end.
die() {
    BW_STEP=
    printf '%s: %s\n' "$BW_SELF" "$*" >&2
    exit 1
}

now() { printf '%s' "${EPOCHREALTIME/,/.}"; }
seconds_since() { awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.1f", b - a }'; }

# begin TEXT … finish [NOTE]: one line per step, with its seconds. What the step's commands write goes to $BW_LOG
# (`>>"$BW_LOG" 2>&1`), of which the end is shown if the script ends inside the step.
begin() {
    BW_STEP=$1
    BW_STEP_BEGAN=$(now)
    BW_LOG=$BW_TMP/step.log
    : >"$BW_LOG"
    printf '%-72s ' "$1 ..."
}
finish() {
    printf '%7s s%s\n' "$(seconds_since "$BW_STEP_BEGAN")" "${1:+   $1}"
    BW_STEP=
}

# on_exit COMMAND…: run at the end, last registered first, whatever ended the script.
on_exit() { BW_ON_EXIT+=("$(printf '%q ' "$@")"); }

bw_at_exit() {
    local status=$? i
    trap '' INT TERM HUP
    trap - EXIT
    set +e
    if [ -n "$BW_STEP" ] && [ "$status" != 0 ]; then
        printf '\n'
        [ "$status" = 130 ] || tail -n 25 "$BW_LOG" | sed 's/^/    | /' >&2
        [ "$status" = 130 ] || printf '%s: failed at: %s\n' "$BW_SELF" "$BW_STEP" >&2
    fi
    for ((i = ${#BW_ON_EXIT[@]} - 1; i >= 0; i--)); do eval "${BW_ON_EXIT[i]}"; done
    exit "$status"
}
trap bw_at_exit EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# A folder of this run alone, gone at the end. What is made under sudo or root stays readable for its owner alone.
make_tmp() {
    BW_TMP=$(mktemp -d "${TMPDIR:-/tmp}/breakwater.XXXXXX")
    BW_LOG=$BW_TMP/step.log
    on_exit rm -rf --one-file-system "$BW_TMP"
}

need_root() {
    [ "$(id -u)" = 0 ] || die "needs root ($1): run it as root or with sudo"
}

# Under sudo, what is built belongs to the one who called.
give_back() {
    if [ -n "${SUDO_UID:-}" ] && [ "$(id -u)" = 0 ]; then
        chown -R "$SUDO_UID:${SUDO_GID:-$SUDO_UID}" "$@" 2>/dev/null || true
    fi
}

# Those packages of the named groups that are not installed.
missing_packages() {
    local package
    awk -v groups="$*" 'BEGIN { n = split(groups, g, " "); for (i = 1; i <= n; i++) want[g[i]] = 1 }
        $1 in want && !seen[$2]++ { print $2 }' "$BW_ROOT/hack/packages" |
        while read -r package; do
            dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || printf '%s\n' "$package"
        done
}

# need_packages GROUP…: installs what is missing; silent and quick when nothing is. Returns 1 with a line in
# $BW_WHY when something cannot be had.
try_packages() {
    local missing sudo=()
    command -v dpkg-query >/dev/null || {
        BW_WHY="this is not Debian: install the packages of hack/packages ($*) by hand"
        return 1
    }
    mapfile -t missing < <(missing_packages "$@")
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || {
            BW_WHY="missing packages (apt-get install ${missing[*]}), and neither root nor sudo to install them"
            return 1
        }
        sudo=(sudo)
    fi
    begin "installing ${#missing[@]} Debian packages ($*)"
    if ! { "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" ||
        { "${sudo[@]}" apt-get update -qq && "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends "${missing[@]}"; }; } >>"$BW_LOG" 2>&1 </dev/null; then
        finish "failed"
        BW_WHY="apt-get cannot install: ${missing[*]} ($(grep -E '^E:' "$BW_LOG" | tail -n 1))"
        return 1
    fi
    finish
}
need_packages() { try_packages "$@" || die "$BW_WHY"; }

# free_port [WANTED]: WANTED if nobody listens there, else one that the kernel gives.
free_port() {
    /usr/bin/python3 - "${1:-0}" <<'PY'
import socket, sys
for port in (int(sys.argv[1]), 0):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        print(probe.getsockname()[1])
        break
PY
}

# wait_for SECONDS COMMAND…: until it succeeds; 1 when the time is over.
wait_for() {
    local until=$((SECONDS + $1 + 1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$until" ] || return 1
        sleep 0.05
    done
}

# stop_pid PID [SECONDS]: SIGTERM, and SIGKILL when it has not gone by then.
stop_pid() {
    local i
    kill "$1" 2>/dev/null || return 0
    for ((i = 0; i < ${2:-20} * 20; i++)); do
        kill -0 "$1" 2>/dev/null || return 0
        sleep 0.05
    done
    kill -9 "$1" 2>/dev/null || true
}
# stop_pid_file FILE [SECONDS]
stop_pid_file() {
    [ -s "$1" ] || return 0
    stop_pid "$(cat "$1")" "${2:-20}"
    rm -f "$1"
}
