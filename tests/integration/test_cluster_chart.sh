#!/usr/bin/env bash
# The chart and the manifests before a real API server: it takes every object of every set of values, and applying twice
# changes nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/integration/rig.sh
. tests/integration/rig.sh

chart=charts/breakwater
kubectl=$(tests/cluster/kubectl)
helm=$(tests/cluster/helm)
k() { timeout -k 5 90 "$kubectl" "$@"; }

on_exit tests/cluster/stop "$BW_TMP/cluster"
tests/cluster/start "$BW_TMP/cluster"
export KUBECONFIG=$BW_TMP/cluster/kubeconfig
for namespace in breakwater elsewhere shop policies; do # with Pod Security's labels, which warn of every pod that is not "restricted"
    sed "s/^  name: .*/  name: $namespace/" manifests/base/namespace.yaml | k apply -f - >/dev/null
done

# a bare pod is only taken when its account is there, also in a dry run
printf 'apiVersion: v1\nkind: ServiceAccount\nmetadata: {namespace: %s, name: %s}\n---\n' \
    breakwater breakwater-probe elsewhere gate-probe | k apply -f - >/dev/null

# the kinds that other projects define, as they publish them
optional=yes
if tests/cluster/crds >"$BW_TMP/crds" 2>"$BW_TMP/crds.log"; then
    while read -r file; do k apply --server-side -f "$file" >/dev/null; done <"$BW_TMP/crds"
    # a status that is not there yet is an error of kubectl's, not a reason to wait
    wait_for 60 k wait --for=condition=Established crd --all --timeout=60s
else
    optional=''
    skip "ServiceMonitor, PodMonitor, PrometheusRule, Certificate and Issuer" "$(tail -n 1 "$BW_TMP/crds.log")"
fi
without_optional() { [ -n "$optional" ] && cat || /usr/bin/python3 -c '
import sys
print("\n---\n".join(d for d in sys.stdin.read().split("\n---\n") if "monitoring.coreos.com/" not in d and "cert-manager.io/v1" not in d))'; }

dry_run() { # RENDERED: what it warns of is a fault, too, but for what hostNetwork is
    local output
    output=$(k apply --dry-run=server -f "$1" 2>&1) || { echo "$output" && return 1; }
    ! grep -i '^Warning' <<<"$output" | grep -v 'host namespaces (hostNetwork=true)$'
}
for file in '' "$chart"/ci/*-values.yaml; do
    name=${file##*/}
    name=${name:-defaults}
    # shellcheck disable=SC2086
    "$helm" template breakwater "$chart" -n breakwater ${file:+-f $file} | without_optional >"$BW_TMP/$name"
    check "the API server takes every object: $name" dry_run "$BW_TMP/$name"
done

# what an Argo CD or a Flux does: server-side apply, time and again, without Helm's hooks
"$helm" template breakwater "$chart" -n breakwater --no-hooks -f "$chart/ci/full-values.yaml" | without_optional >"$BW_TMP/applied.yaml"
versions() { k get -f "$BW_TMP/applied.yaml" -o jsonpath='{range .items[*]}{.kind}{" "}{.metadata.name}{" "}{.metadata.generation}{" "}{.metadata.resourceVersion}{"\n"}{end}' | grep -v '^Deployment\|^PodDis\|^Horiz'; }
check "server-side apply" k apply --server-side -f "$BW_TMP/applied.yaml"
versions >"$BW_TMP/first"
check "once more" k apply --server-side -f "$BW_TMP/applied.yaml"
versions >"$BW_TMP/second"
check "the second time changes nothing" diff "$BW_TMP/first" "$BW_TMP/second"
check "and there is no difference to what is there" k diff --server-side -f "$BW_TMP/applied.yaml"
k delete -f "$BW_TMP/applied.yaml" >/dev/null

for folder in manifests/overlays/*; do
    k kustomize "$folder" | without_optional >"$BW_TMP/overlay"
    check "kubectl apply -k $folder" dry_run "$BW_TMP/overlay"
done
for component in manifests/components/*; do
    mkdir -p "$BW_TMP/with"
    printf 'resources: [%s]\ncomponents: [%s]\n' "$(realpath --relative-to="$BW_TMP/with" manifests/overlays/self-signed)" \
        "$(realpath --relative-to="$BW_TMP/with" "$component")" >"$BW_TMP/with/kustomization.yaml"
    k kustomize "$BW_TMP/with" | without_optional >"$BW_TMP/overlay"
    check "with $component" dry_run "$BW_TMP/overlay"
done
check "install.yaml" dry_run manifests/install.yaml
done_testing
