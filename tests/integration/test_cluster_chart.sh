#!/usr/bin/env bash
# The chart and the manifests before a real API server: it takes every object of every set of values, applying twice changes
# nothing, and it asks about what has to be asked about and about nothing else.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/integration/cluster.sh
. tests/integration/cluster.sh

chart=charts/breakwater
helm=$(tests/cluster/helm)

cluster_begin
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

# Which requests are sent: nobody answers here, so what is asked about is refused with "failed calling webhook".
template='{metadata: {labels: {app: a}}, spec: {containers: [{name: c, image: "registry.example/a:1"}], restartPolicy: Always}}'
spec="{selector: {matchLabels: {app: a}}, template: $template}"
{
    for kind in Deployment ReplicaSet DaemonSet StatefulSet; do
        printf 'apiVersion: apps/v1\nkind: %s\nmetadata: {name: a, namespace: asked}\nspec: %s\n---\n' "$kind" "$spec"
    done
    printf 'apiVersion: v1\nkind: ReplicationController\nmetadata: {name: a, namespace: asked}\nspec: {replicas: 0, template: %s}\n---\n' "$template"
    printf 'apiVersion: v1\nkind: PodTemplate\nmetadata: {name: a, namespace: asked}\ntemplate: %s\n---\n' "$template"
    printf 'apiVersion: batch/v1\nkind: Job\nmetadata: {name: a, namespace: asked}\nspec: {suspend: true, template: %s}\n---\n' "${template/Always/Never}"
    printf 'apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: a, namespace: asked}\nspec: {schedule: "0 0 1 1 *", jobTemplate: {spec: {template: %s}}}\n---\n' "${template/Always/Never}"
    printf 'apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: asked}\nspec: {containers: [{name: c, image: "registry.example/a:1"}]}\n'
} >"$BW_TMP/workloads.yaml"
k create namespace asked >/dev/null
k create namespace spared >/dev/null
wait_for 20 k -n asked get serviceaccount default || die "the controllers made no ServiceAccount"
k apply -f "$BW_TMP/workloads.yaml" >/dev/null
"$helm" template breakwater "$chart" -n breakwater --show-only templates/webhook.yaml \
    --set webhook.enableAfterReady=false,exemptNamespaces='{spared}' >"$BW_TMP/webhook.yaml"
k apply -f "$BW_TMP/webhook.yaml" >/dev/null
run() { k -n "$1" run "try$RANDOM" --image=registry.example/a:1 --dry-run=server 2>&1; }
wait_for 20 says 1 'failed calling webhook' run asked || die "the webhook configuration is not in force"

asked=(says 1 'failed calling webhook "pods.breakwater.io"')
check "a new pod is asked about" "${asked[@]}" run asked
check "a new Deployment, too" "${asked[@]}" k -n asked create deployment try --image=registry.example/a:1 --dry-run=server
for namespace in breakwater kube-system spared; do
    check "not in the exempt namespace $namespace" says 0 created \
        k -n "$namespace" create deployment try --image=registry.example/a:1 --dry-run=server
done
for kind in deployment replicaset daemonset statefulset replicationcontroller job; do
    check "a label on a $kind is nobody's concern" says 0 labeled k -n asked label "$kind" a "l$RANDOM=x"
done
for kind in pod podtemplate cronjob; do
    check "a label on a $kind is asked about: the condition cannot see its images" "${asked[@]}" k -n asked label "$kind" a l=x
done
for kind in deployment daemonset statefulset replicationcontroller cronjob pod; do
    check "another image in a $kind is asked about" "${asked[@]}" k -n asked set image "$kind/a" c=registry.example/a:2
done
check "an ephemeral container, too" "${asked[@]}" k -n asked debug a --image=registry.example/a:2 -c debugger
check "scaling is not" says 0 scaled k -n asked scale deployment a --replicas=2
check "deleting is not" says 0 deleted k -n asked delete pod a --now
check "a namespace of any name and labels is free to be made" says 0 created k create namespace free
check "but for the label that exempts it" says 1 'failed calling webhook "namespaces.breakwater.io"' \
    k label namespace free breakwater.io/admission=ignore
check "nor can the label that the selector trusts be changed" says '0|1' . k label namespace asked kubernetes.io/metadata.name=spared --overwrite
check "so the namespace is asked about as before" "${asked[@]}" run asked
check "a bundle may be applied while nobody can judge it" says 0 created k -n breakwater create configmap late --from-literal=a.json='{}'
check "and labelled" says 0 labeled k -n breakwater label configmap late breakwater.io/bundle=active
k delete -f "$BW_TMP/webhook.yaml" >/dev/null
check "the door is open when the configuration is gone" wait_for 20 run asked
done_testing
