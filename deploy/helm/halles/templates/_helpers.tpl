{{- define "halles.fullname" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "halles.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Takes root, and the component whose object it is. */}}
{{- define "halles.labels" -}}
{{ include "halles.selector" .root }}
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/part-of: {{ .root.Chart.Name }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{/* The pods of a component of this release. */}}
{{- define "halles.pods" -}}
{{ include "halles.selector" .root }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "halles.topology" -}}
{{ .Files.Get "files/topology.yaml" }}
{{- end }}

{{/* The settings of one service: its own over the defaults. Takes root and name. */}}
{{- define "halles.settings" -}}
{{ mustMergeOverwrite (deepCopy .root.Values.defaults) (deepCopy (default dict (get .root.Values.services .name))) | toYaml }}
{{- end }}

{{- define "halles.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ default $.Chart.AppVersion .tag }}{{ end }}
{{- end }}
{{- end }}

{{- define "halles.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .Values.runAsUser }}
runAsGroup: {{ .Values.runAsUser }}
# So that the mounted secrets can be read.
fsGroup: {{ .Values.runAsUser }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "halles.containerSecurity" -}}
allowPrivilegeEscalation: false
privileged: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* The secrets of a service: variable → Secret and key. Takes root, name and service. */}}
{{- define "halles.secrets" -}}
{{- $values := .root.Values }}
{{- $fullname := include "halles.fullname" .root }}
{{- range $variable, $source := .service.secrets }}
{{- if eq $source "platform" }}
{{ $variable }}: { secret: {{ $values.secrets.secretName }}, key: {{ $variable }} }
{{- else if eq $source "databases" }}
{{- if eq $values.postgres.mode "operator" }}
{{ $variable }}: { secret: {{ $fullname }}-{{ $.name }}-app, key: uri }
{{- else }}
{{ $variable }}: { secret: {{ $values.postgres.secretName }}, key: {{ $variable }}_{{ $.name | upper }} }
{{- end }}
{{- else if eq $source "rabbitmq" }}
{{- if eq $values.rabbitmq.mode "operator" }}
{{ $variable }}: { secret: {{ $fullname }}-rabbitmq-default-user, key: connection_string }
{{- else }}
{{ $variable }}: { secret: {{ $values.rabbitmq.secretName }}, key: {{ $variable }} }
{{- end }}
{{- else if eq $source "redis" }}
{{- if $values.redis.enabled }}
{{ $variable }}: { secret: {{ $values.redis.secretName }}, key: {{ $variable }} }
{{- end }}
{{- else }}
{{- fail (printf "%s of %s has a source that the chart does not know: %s." $variable $.name $source) }}
{{- end }}
{{- end }}
{{- if hasKey .service.values "KAFKA_BROKERS" }}
{{- if $values.kafka.sasl.enabled }}
KAFKA_USERNAME: { secret: {{ $values.kafka.secretName }}, key: KAFKA_USERNAME }
KAFKA_PASSWORD: { secret: {{ $values.kafka.secretName }}, key: KAFKA_PASSWORD }
{{- end }}
{{- with $values.kafka.tls.caKey }}
KAFKA_TLS_CA: { secret: {{ $values.kafka.secretName }}, key: {{ . }} }
{{- end }}
{{- end }}
{{- end }}

{{/* The environment of a service; secrets are files. Takes root, name, service, settings, secrets. */}}
{{- define "halles.environment" -}}
{{- $root := .root }}
{{- $all := dict }}
{{- range $variable, $text := .service.environment }}{{ $_ := set $all $variable $text }}{{ end }}
{{- range $variable, $path := .service.values }}
{{- $found := $root.Values }}
{{- range splitList "." $path }}{{ $found = get $found . }}{{ end }}
{{- $_ := set $all $variable (kindIs "slice" $found | ternary (join "," $found) $found) }}
{{- end }}
{{- $topology := include "halles.topology" $root | fromYaml }}
{{- range $variable, $address := .service.addresses }}
{{- $host := printf "%s-%s.%s.svc.%s" (include "halles.fullname" $root) $address.service $root.Release.Namespace $root.Values.clusterDomain }}
{{- $_ := set $all $variable (printf "%s://%s:%v" $address.scheme $host (get $topology.ports $address.port)) }}
{{- end }}
{{- if hasKey .service.values "KAFKA_BROKERS" }}
{{- if $root.Values.kafka.sasl.enabled }}{{ $_ := set $all "KAFKA_SASL_MECHANISM" $root.Values.kafka.sasl.mechanism }}{{ end }}
{{- if $root.Values.kafka.tls.enabled }}{{ $_ := set $all "KAFKA_TLS" "true" }}{{ end }}
{{- end }}
{{- with $root.Values.telemetry.endpoint }}{{ $_ := set $all "OTEL_EXPORTER_OTLP_ENDPOINT" . }}{{ end }}
{{- range $variable, $text := merge (deepCopy .settings.env) $root.Values.env }}
{{- if hasKey $.service.secrets $variable }}
{{- fail (printf "%s of %s is a secret: put it into its Secret, not into env." $variable $.name) }}
{{- end }}
{{- $_ := set $all $variable $text }}
{{- end }}
{{- range $variable, $_ := .secrets }}{{ $_ := set $all (printf "%s_FILE" $variable) (printf "/secrets/%s" $variable) }}{{ end }}
- name: INSTANCE_ID
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- range $variable, $text := $all }}
- name: {{ $variable }}
  value: {{ $text | toString | quote }}
{{- end }}
{{- end }}

{{/* Volumes and mounts of a container; takes what environment takes. */}}
{{- define "halles.volumes" -}}
- name: temporary
  emptyDir:
    sizeLimit: 64Mi
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      {{- range $variable, $source := .secrets }}
      - secret:
          name: {{ $source.secret }}
          items:
            - key: {{ $source.key }}
              path: {{ $variable }}
      {{- end }}
{{- end }}

{{- define "halles.mounts" -}}
- name: temporary
  mountPath: /tmp
- name: secrets
  mountPath: /secrets
  readOnly: true
{{- end }}
