#!/usr/bin/env bash
# The container image of hack/image: the same bytes wherever it is built, nothing in it that is not needed, and a program that
# works in there on a read-only root, as any user, as far as to judge its own image.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/integration/rig.sh
. tests/integration/rig.sh

# twice the same files, in two folders, under two users' habits
git clone -q --shared . "$BW_TMP/here"
git ls-files -coz --exclude-standard | xargs -0 cp --parents -t "$BW_TMP/here"
cp -a "$BW_TMP/here" "$BW_TMP/elsewhere"
out=$BW_TMP/here/build/image layout=$BW_TMP/here/build/image/layout root=$BW_TMP/root
check "the image is built" env -C "$BW_TMP/here" hack/image
check "and again, in another folder" env -C "$BW_TMP/elsewhere" TZ=Asia/Tokyo LC_ALL=C bash -c "umask 077; hack/image"
check "both have the same digest" cmp "$out/digest" "$BW_TMP/elsewhere/build/image/digest"
check "and the same SBOM" cmp "$out/sbom.spdx.json" "$BW_TMP/elsewhere/build/image/sbom.spdx.json"

version=$(sed -n 's/^project(breakwater VERSION \([^ ]*\).*/\1/p' CMakeLists.txt)
skopeo inspect --config "oci:$layout:$version" >"$BW_TMP/config.json"
skopeo inspect "oci:$layout:$version" >"$BW_TMP/inspect.json"
check "skopeo reads it, and finds the digest" grep -q "$(cat "$out/digest")" "$BW_TMP/inspect.json"
check "labels say what it is, of which commit" test "$(json "$BW_TMP/config.json" \
    'sum("org.opencontainers.image." + k in d["config"]["Labels"] for k in "title version revision licenses created".split())')" = 5
check "it runs as a user without a name" test "$(json "$BW_TMP/config.json" 'd["config"]["User"]')" = 65532:0

mkdir -p "$root/proc" "$root/dev" "$root/image"
json "$out/layout/blobs/sha256/$(sed 's/sha256://' "$out/digest")" '"\n".join(l["digest"][7:] for l in d["layers"])' |
    while read -r digest; do tar -xzf "$layout/blobs/sha256/$digest" -C "$root"; done
others() { # what could be run, but the program and the libraries
    find "$root" -type f -perm /111 ! -path '*/usr/bin/breakwater' ! -name '*.so.*' ! -path "$root/proc/*" | grep .
}
check "it has one program: no shell, no package manager" says 1 '^' others
check "nothing in it is setuid, and one folder is for writing" test \
    "$(find "$root" ! -type l \( -perm /6000 -o -perm /022 \) -printf '%P ')" = 'var/cache/breakwater '

# inside: the root read-only, a user that has no name and group 0, as OpenShift gives it
inside() { # COMMAND…: with the layout at /image
    # shellcheck disable=SC2016
    unshare --mount --pid --fork --propagation private sh -c '
        mount --bind "$1" "$1" && mount -t proc proc "$1/proc" && mount -t tmpfs tmpfs "$1/dev" &&
            mknod -m 666 "$1/dev/null" c 1 3 && mount --bind "$2" "$1/image" &&
            mount -o remount,bind,ro "$1" && root=$1 && shift 2 && exec chroot --userspec=1000680000:0 "$root" "$@"' \
        sh "$root" "$layout" "$@"
}
if ! inside /usr/bin/breakwater --version >"$BW_TMP/version" 2>&1 && grep -q 'unshare\|mount:' "$BW_TMP/version"; then
    skip "the program in the image" "this machine allows no mount namespace: $(head -n 1 "$BW_TMP/version")"
else
    check "the program in it starts" says 0 "^breakwater $version" inside /usr/bin/breakwater --version
    check "and analyses the image that it is in" says 0 'packages +[0-9]+' inside /usr/bin/breakwater analyze "oci:/image:$version"
fi

bw analyze --output json "oci:$layout:$version" >"$BW_TMP/report.json"
check "the analysis of the image finds the packages of its SBOM" test \
    "$(json "$BW_TMP/report.json" 'sorted(p["name"] for p in d["packages"])')" = \
    "$(json "$out/sbom.spdx.json" 'sorted(p["name"] for p in d["packages"] if p["name"] != "breakwater")')"
cat >"$BW_TMP/bundle.json" <<'J'
{"id": "own", "version": "1_0", "whitelists": [], "policies": [{"id": "p", "version": "1_0", "rules": [
  {"id": "root", "gate": "dockerfile", "trigger": "effective_user", "action": "STOP",
   "params": [{"name": "users", "value": "root"}, {"name": "type", "value": "blacklist"}]},
  {"id": "suid", "gate": "files", "trigger": "suid_or_guid_set", "action": "STOP", "params": []},
  {"id": "key", "gate": "secret_scans", "trigger": "content_regex_checks", "action": "STOP", "params": []}]}],
 "mappings": [{"id": "m", "registry": "*", "repository": "*", "image": {"type": "tag", "value": "*"}, "policy_ids": ["p"], "whitelist_ids": []}]}
J
check "breakwater would admit it" says 0 '=> go' bw evaluate --bundle "$BW_TMP/bundle.json" "oci:$layout:$version"
done_testing
