#!/usr/bin/env bash
# Images that no builder makes (tests/images/bad): each is a named fault of that image, in bounded time and memory, and
# leaves nothing behind.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/integration/rig.sh
. tests/integration/rig.sh

tests/images/bad "$BW_TMP/bad"
mkdir "$BW_TMP/empty"
judge() { # NAME: peak memory of the whole family below 700 MiB, whatever the image says
    (cd "$BW_TMP/empty" && /usr/bin/python3 - "$BW_PROGRAM" evaluate --bundle "$BW_ROOT/docs/examples/demo-bundle.json" \
        --platform linux/amd64 "oci:$BW_TMP/bad:$1") <<'PY'
import resource, subprocess, sys
try:
    done = subprocess.run(sys.argv[1:], timeout=100)
except subprocess.TimeoutExpired:
    sys.exit("took more than 100 s")
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10
print(f"peak {peak} MiB")
sys.exit(99 if peak > 700 else done.returncode if done.returncode >= 0 else 128 - done.returncode)
PY
}
while IFS=';' read -r name status pattern; do
    check "$name: $(tests/images/bad --list | sed -n "s/^$name  *//p")" says "$status" "$pattern" judge "$name"
done <<'T'
sound;0;=> go
bomb;2;ratio|unpack|larger|limit
bomb-of-entries;2;entries
dotdot;0;=> go
absolute;0;=> go
absurd-names;0|2;.
links-round;0;=> go
truncated-tar;2;tar|end
truncated-gzip;2;gzip|end
trailing-garbage;2;.
wrong-crc;2;gzip|checksum|crc|CRC
wrong-diffid;2;diffID|diff id|unpacks
bad-checksum;2;checksum
not-gzip;2;gzip|compress|tar
not-tar;2;tar|checksum
enormous-file;2;larger|limit|tar|size|end
pax-lies;2;pax|PAX|extended|header
layers-short;2;layers|diff
config-no-json;2;config|JSON
config-of-other-types;2;config|string|expected
foreign-layer;2;foreign
unknown-layer-type;2;media type
encrypted-layer;2;gzip|tar|format
artifact;2;image|artifact|config
index-in-circles;2;index|platform
deep-json;2;config|deep|nest|depth
broken-databases;0|1|2;.
T
check "nothing was written where the program ran" test -z "$(ls -A "$BW_TMP/empty")"
check "nothing climbed out of an image" test ! -e /tmp/breakwater-escaped
done_testing
