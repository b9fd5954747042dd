{{/* The HTTP API: its environment, named as its settings are, and what it may do with objects. */}}
{{- define "tidemill.api.env" -}}
{{- $tls := ne .Values.api.tls.existingSecret "" -}}
{{- $env := dict
  "TIDEMILL_STORE_FILE" "/run/tidemill/store/url"
  "TIDEMILL_DURABILITY" .Values.store.durability
  "TIDEMILL_ELSEWHERE" .Values.store.elsewhere
  "TIDEMILL_NAMESPACES" (ternary "" (include "tidemill.namespaces" . | fromJsonArray | join " ") .Values.watch.clusterWide)
  "TIDEMILL_AUDIENCES" (join " " .Values.api.audiences)
  "TIDEMILL_CERTIFICATE" (ternary "/run/tidemill/tls/tls.crt" "" $tls)
  "TIDEMILL_KEY" (ternary "/run/tidemill/tls/tls.key" "" $tls)
  "TIDEMILL_RATE" (toString .Values.api.rate)
  "TIDEMILL_PORT" "8443"
  "TIDEMILL_HEALTH_PORT" "8080"
-}}
{{- range $name, $value := $env }}
{{- if $value }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- end }}
{{- end }}

{{- define "tidemill.api.rules" -}}
- apiGroups: [tidemill.alt]
  resources: [dataflows, dataflowruns]
  verbs: [get, patch]
{{- end }}
