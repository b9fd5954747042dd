{{/* The operator's environment: names are those of its settings, values are plain. Secrets are in files only. */}}
{{- define "tidemill.operator.env" -}}
{{- $env := dict
  "TIDEMILL_STORE_FILE" "/run/tidemill/store/url"
  "TIDEMILL_DURABILITY" .Values.store.durability
  "TIDEMILL_WORKER_IMAGE" (include "tidemill.image" (list . .Values.worker.image .Chart.AppVersion))
  "TIDEMILL_WORKER_PULL_POLICY" .Values.images.pullPolicy
  "TIDEMILL_WORKER_ACCOUNT" (include "tidemill.worker.serviceAccount" .)
  "TIDEMILL_STORE_SECRET" (include "tidemill.store.workerSecret" .)
  "TIDEMILL_STORE_SECRET_KEY" "url"
  "TIDEMILL_ELSEWHERE" .Values.store.elsewhere
  "TIDEMILL_CLUSTERWIDE" (ternary "true" "" .Values.watch.clusterWide)
  "TIDEMILL_NAMESPACES" (ternary "" (include "tidemill.namespaces" . | fromJsonArray | join " ") .Values.watch.clusterWide)
  "TIDEMILL_LEASE_NAME" (printf "%s-operator" (include "tidemill.fullname" .))
  "TIDEMILL_LEASE" (toString .Values.operator.leaseSeconds)
  "TIDEMILL_METRICS_OF_OBJECTS" (ternary "true" "" .Values.metrics.ofObjects)
  "TIDEMILL_PORT" "8080"
-}}
{{- range $name, $value := merge (dict) $env .Values.operator.env }}
{{- if $value }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- end }}
- name: TIDEMILL_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
- name: TIDEMILL_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
{{- end }}
