{{/* Names, labels, images, quantities: what the templates share. */}}

{{- define "tidemill.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{/* The name of the release, with that of the chart unless it has it already. */}}
{{- define "tidemill.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "tidemill.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "tidemill.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{/* What objects are selected by; never changes. Call with (list $ "component"). */}}
{{- define "tidemill.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "tidemill.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "tidemill.labels" -}}
{{- $root := index . 0 -}}
{{ include "tidemill.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: tidemill
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Labels and annotations of an object: (list $ "component" (dict of annotations)). */}}
{{- define "tidemill.metadata" -}}
{{- $root := index . 0 -}}
labels:
  {{- include "tidemill.labels" (list $root (index . 1)) | nindent 2 }}
{{- $annotations := merge (dict) $root.Values.commonAnnotations }}
{{- if gt (len .) 2 }}{{ $annotations = merge $annotations (index . 2) }}{{ end }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* An image: (list $ image-values default-tag). */}}
{{- define "tidemill.image" -}}
{{- $root := index . 0 -}}{{- $image := index . 1 -}}
{{- $tag := default (index . 2) $image.tag -}}
{{- $name := $image.repository -}}
{{- with $root.Values.images.registry }}{{ $name = printf "%s/%s" (trimSuffix "/" .) $name }}{{ end -}}
{{- if $image.digest -}}{{ $name }}@{{ $image.digest }}{{- else -}}{{ $name }}:{{ $tag }}{{- end -}}
{{- end }}

{{/* The namespaces that are watched by name, as JSON, in order, each once. */}}
{{- define "tidemill.namespaces" -}}
{{- $found := list -}}
{{- range .Values.watch.namespaces }}{{ $found = append $found (tpl . $) }}{{ end -}}
{{- $found | uniq | toJson -}}
{{- end }}

{{/* A quantity of bytes as a number: 512Mi -> 536870912. */}}
{{- define "tidemill.bytes" -}}
{{- $text := toString . -}}
{{- $units := dict "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 "" 1 -}}
{{- $unit := regexFind "[A-Za-z]*$" $text -}}
{{- if not (hasKey $units $unit) }}{{ fail (printf "%q is no quantity of bytes: write it as 512Mi or 2Gi" $text) }}{{ end -}}
{{- mulf (float64 (trimSuffix $unit $text)) (get $units $unit) | floor | int64 -}}
{{- end }}

{{/* Bytes of data that the bundled store may have. */}}
{{- define "tidemill.maxmemory" -}}
{{- $limit := include "tidemill.bytes" .Values.store.bundled.resources.limits.memory -}}
{{- if .Values.store.bundled.maxmemory -}}
{{- include "tidemill.bytes" .Values.store.bundled.maxmemory -}}
{{- else -}}
{{- div (mul (int64 $limit) 70) 100 -}}
{{- end -}}
{{- end }}

{{- define "tidemill.operator.serviceAccount" -}}
{{- if .Values.operator.serviceAccount.create -}}
{{- default (printf "%s-operator" (include "tidemill.fullname" .)) .Values.operator.serviceAccount.name -}}
{{- else -}}
{{- required "operator.serviceAccount.create is false: operator.serviceAccount.name has to name one that is there" .Values.operator.serviceAccount.name -}}
{{- end -}}
{{- end }}

{{- define "tidemill.worker.serviceAccount" -}}
{{- $name := .Values.worker.serviceAccount.name -}}
{{- if $name -}}{{ $name }}{{- else if .Values.worker.serviceAccount.create -}}{{ include "tidemill.fullname" . }}-worker{{- else -}}default{{- end -}}
{{- end }}

{{/* Labels that the operator gives to pods of workers. */}}
{{- define "tidemill.worker.selector" -}}
app.kubernetes.io/name: tidemill-worker
app.kubernetes.io/managed-by: tidemill-operator
{{- end }}

{{- define "tidemill.store.name" -}}{{ include "tidemill.fullname" . }}-store{{- end }}
{{- define "tidemill.store.host" -}}{{ include "tidemill.store.name" . }}.{{ .Release.Namespace }}.svc{{- end }}

{{/* The Secret with the URL that workers mount, of the same name in every namespace. */}}
{{- define "tidemill.store.workerSecret" -}}
{{- if .Values.store.bundled.enabled -}}
{{- default (printf "%s-worker" (include "tidemill.store.name" .)) .Values.store.bundled.existingSecret -}}
{{- else -}}
{{- default (printf "%s-worker" (include "tidemill.store.name" .)) .Values.store.external.existingSecret -}}
{{- end -}}
{{- end }}

{{/* The Secret with the URL that the operator mounts. */}}
{{- define "tidemill.store.operatorSecret" -}}
{{- if .Values.store.bundled.enabled -}}
{{- default (include "tidemill.store.name" .) .Values.store.bundled.existingSecret -}}
{{- else -}}
{{- include "tidemill.store.workerSecret" . -}}
{{- end -}}
{{- end }}

{{/* What every container of the chart may do: nothing. */}}
{{- define "tidemill.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "tidemill.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* Where a pod goes: nodeSelector, tolerations, affinity, priorityClassName of the values given. */}}
{{- define "tidemill.placement" -}}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}
