{{- define "breakwater.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "breakwater.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- define "breakwater.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "breakwater.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "breakwater.secret" -}}
{{- default (printf "%s-tls" (include "breakwater.fullname" .)) .Values.certs.secretName -}}
{{- end -}}

{{- define "breakwater.configMap" -}}
{{- default (printf "%s-config" (include "breakwater.fullname" .)) .Values.existingConfigMap -}}
{{- end -}}

{{- define "breakwater.image" -}}
{{- with .Values.image.registry }}{{ . }}/{{ end }}{{ .Values.image.repository }}
{{- if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ default .Chart.AppVersion .Values.image.tag }}{{ end -}}
{{- end -}}

{{- /* What selects the serving pods, and never changes. */ -}}
{{- define "breakwater.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: webhook
{{- end -}}

{{- define "breakwater.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* metadata of a namespaced object: (dict "root" $ "suffix" "-x" "namespace" "" "labels" dict "annotations" dict) */ -}}
{{- define "breakwater.metadata" -}}
name: {{ include "breakwater.fullname" .root }}{{ .suffix }}
{{- if not .cluster }}
namespace: {{ default (include "breakwater.namespace" .root) .namespace }}
{{- end }}
labels:
  {{- include "breakwater.labels" .root | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (dict) (default dict .annotations) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* 512Mi, 2Gi: in MiB */ -}}
{{- define "breakwater.mebibytes" -}}
{{- if hasSuffix "Gi" . }}{{ mul 1024 (trimSuffix "Gi" . | int) }}{{ else }}{{ trimSuffix "Mi" . }}{{ end -}}
{{- end -}}

{{- define "breakwater.valuesConfig" -}}
server:
  listen: {{ printf ":%d" (int .Values.webhook.port) | quote }}
  healthListen: {{ printf ":%d" (int .Values.health.port) | quote }}
  metricsListen: {{ printf ":%d" (int .Values.metrics.port) | quote }}
webhook: {timeoutSeconds: {{ .Values.webhook.timeoutSeconds }}}
kubernetes:
  {{- if not .Values.registry.pullSecrets.enabled }}
  pullSecrets: never
  {{- end }}
  {{- if not .Values.rbac.nodes }}
  nodes: never
  {{- end }}
  {{- if not .Values.rbac.events }}
  events: never
  {{- end }}
  {{- if eq .Values.certs.mode "selfSigned" }}
  lease: {{ include "breakwater.fullname" . }}
certs:
  mode: selfSigned
  secret: {{ include "breakwater.secret" . }}
  service: {{ include "breakwater.fullname" . }}
  webhookConfiguration: {{ include "breakwater.fullname" . }}
  clusterDomain: {{ .Values.certs.clusterDomain }}
  leafLifetime: {{ .Values.certs.selfSigned.lifetime }}
  caLifetime: {{ .Values.certs.selfSigned.caLifetime }}
  {{- end }}
breakGlass:
  requireReason: {{ .Values.breakGlass.requireReason }}
  {{- with .Values.breakGlass.users }}
  users: {{ toJson . }}
  {{- end }}
  {{- with .Values.breakGlass.groups }}
  groups: {{ toJson . }}
  {{- end }}
{{- with .Values.policySelectors }}
policySelectors: {{ toJson . }}
{{- end }}
{{- with .Values.exemptions }}
exemptions: {{ toJson . }}
{{- end }}
{{- with .Values.exemptNamespaces }}
exemptNamespaces: {{ toJson . }}
{{- end }}
exemptionAdmins:
  {{- with .Values.exemptionAdmins.users }}
  users: {{ toJson . }}
  {{- end }}
  {{- with .Values.exemptionAdmins.groups }}
  groups: {{ toJson . }}
  {{- end }}
{{- with pick .Values.bundles "default" "namespaces" }}
bundles:
  {{- range $key, $value := . }}
  {{- with $value }}
  {{ $key }}: {{ toJson . }}
  {{- end }}
  {{- end }}
{{- end }}
registry:
  {{- if .Values.registry.credentialsSecret }}
  credentialsFile: /etc/breakwater/registry/.dockerconfigjson
  {{- end }}
  hosts:
    {{- range $host, $settings := .Values.registry.hosts }}
    {{ toJson $host }}: {{ toJson $settings }}
    {{- end }}
    {{- range $host, $pem := .Values.registry.caCerts }}
    {{ toJson $host }}: {{ toJson (merge (dict "caFile" (printf "/etc/breakwater/ca/%s" (include "breakwater.caKey" $host))) (dig $host dict $.Values.registry.hosts)) }}
    {{- end }}
analysis: {concurrency: {{ .Values.analysis.concurrency }}, wallLimit: {{ .Values.analysis.timeout }}}
cache:
  dir: /var/cache/breakwater
  memoryBytes: {{ include "breakwater.mebibytes" .Values.cache.memory.size }}MiB
  diskBytes: {{ include "breakwater.mebibytes" .Values.cache.disk.size }}MiB
log: {level: {{ .Values.log.level }}}
{{- end -}}

{{- /* a ConfigMap's key knows no colon */ -}}
{{- define "breakwater.caKey" -}}
{{- replace ":" "_" . }}.pem
{{- end -}}

{{- define "breakwater.config" -}}
{{- $config := include "breakwater.valuesConfig" . | fromYaml -}}
{{- if hasKey $config "Error" }}{{ fail $config.Error }}{{ end -}}
{{- if not $config.registry.hosts }}{{ $_ := unset $config.registry "hosts" }}{{ end -}}
{{- range $key := list "kubernetes" "registry" "bundles" "exemptionAdmins" -}}
{{- if not (get $config $key) }}{{ $_ := unset $config $key }}{{ end -}}
{{- end -}}
{{- toYaml (mergeOverwrite $config (deepCopy .Values.config)) -}}
{{- end -}}

{{- /* The settings that count from the next start on; the others are taken over while it runs. */ -}}
{{- define "breakwater.restartChecksum" -}}
{{- $config := include "breakwater.config" . | fromYaml -}}
{{- $registry := pick (default dict $config.registry) "tagTTL" "tagStaleMax" -}}
{{- $top := pick $config "server" "tls" "kubernetes" "certs" "analysis" "cache" "negativeTTL" "authTTL" -}}
{{- list $top $registry (omit (default dict $config.bundles) "default") | toJson | sha256sum -}}
{{- end -}}

{{- /* semverCompare against the cluster, also of managed ones (1.28.3-gke.1) */ -}}
{{- define "breakwater.atLeast" -}}
{{- if semverCompare (printf ">=%s-0" .version) .root.Capabilities.KubeVersion.Version }}yes{{ end -}}
{{- end -}}

{{- /* clientConfig of one entry: (dict "root" $ "path" "/validate"). The CA is written by who makes it, if not by hand. */ -}}
{{- define "breakwater.clientConfig" -}}
{{- if .root.Values.webhook.url -}}
url: {{ trimSuffix "/" .root.Values.webhook.url }}{{ .path }}
{{- else -}}
service: {name: {{ include "breakwater.fullname" .root }}, namespace: {{ include "breakwater.namespace" .root }}, path: {{ .path }}, port: {{ .root.Values.service.port }}}
{{- end }}
{{- if and (eq .root.Values.certs.mode "existingSecret") .root.Values.certs.caBundle }}
caBundle: {{ b64enc .root.Values.certs.caBundle }}
{{- end }}
{{- end -}}

{{- /* A ServiceAccount of a Job's own with what it may: (dict "root" $ "suffix" "annotations" "rules" "namespace" "clusterRules"); rules
hold in the namespace, the release's if it is empty. */ -}}
{{- define "breakwater.jobAccount" -}}
{{- $name := printf "%s%s" (include "breakwater.fullname" .root) .suffix -}}
{{- $metadata := dict "root" .root "suffix" .suffix "annotations" .annotations -}}
{{- $namespace := .namespace -}}
{{- $subject := dict "kind" "ServiceAccount" "name" $name "namespace" (include "breakwater.namespace" .root) }}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "breakwater.metadata" $metadata | nindent 2 }}
automountServiceAccountToken: false
{{- range $kind, $rules := dict "Role" .rules "ClusterRole" .clusterRules }}
{{- if $rules }}
{{- $where := merge (dict "cluster" (eq $kind "ClusterRole") "namespace" $namespace) $metadata }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}
metadata:
  {{- include "breakwater.metadata" $where | nindent 2 }}
rules:
  {{- toYaml $rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}Binding
metadata:
  {{- include "breakwater.metadata" $where | nindent 2 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: {{ $kind }}, name: {{ $name }}}
subjects: [{{ toJson $subject }}]
{{- end }}
{{- end }}
{{- end -}}

{{- define "breakwater.jobLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: job
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* The pod of one run of the program: (dict "root" $ "account" "arguments" "restart") */ -}}
{{- define "breakwater.jobPod" -}}
restartPolicy: {{ .restart }}
serviceAccountName: {{ include "breakwater.fullname" .root }}{{ .account }}
automountServiceAccountToken: true
{{- range $key := list "imagePullSecrets" "nodeSelector" "tolerations" "dnsConfig" "hostAliases" }}
{{- with index $.root.Values $key }}
{{ $key }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
securityContext:
  {{- toYaml .root.Values.podSecurityContext | nindent 2 }}
containers:
  - name: breakwater
    image: {{ include "breakwater.image" .root | quote }}
    imagePullPolicy: {{ .root.Values.image.pullPolicy }}
    args: {{ toJson .arguments }}
    securityContext:
      {{- toYaml .root.Values.securityContext | nindent 6 }}
    resources:
      {{- toYaml .root.Values.hooks.resources | nindent 6 }}
{{- end -}}

{{- /* (dict "root" $ "suffix" "account" "annotations" "arguments") */ -}}
{{- define "breakwater.job" }}
---
apiVersion: batch/v1
kind: Job
metadata:
  {{- include "breakwater.metadata" (dict "root" .root "suffix" .suffix "annotations" .annotations) | nindent 2 }}
spec:
  backoffLimit: 6
  activeDeadlineSeconds: 290
  ttlSecondsAfterFinished: 300
  template:
    metadata:
      labels:
        {{- include "breakwater.jobLabels" .root | nindent 8 }}
    spec:
      {{- include "breakwater.jobPod" (merge (dict "restart" "OnFailure") .) | nindent 6 }}
{{- end -}}
