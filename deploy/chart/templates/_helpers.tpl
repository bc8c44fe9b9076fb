{{/* The labels that select the pods. They can never change: a Deployment's selector is immutable. */}}
{{- define "payg.selector" -}}
app.kubernetes.io/name: payg-operator
{{- end }}

{{- define "payg.image" -}}
{{- $repository := required "image.repository is required: there is no published image yet, so build one and name it" .Values.image.repository -}}
{{- if .Values.image.digest -}}
{{ $repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ $repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* Each value in `operator` is a flag. The schema lists them. */}}
{{- define "payg.args" -}}
- operator
{{- range $name, $value := .Values.operator }}
{{- $flag := printf "--%s" (kebabcase $name) }}
{{- if kindIs "bool" $value }}
{{- if $value }}
- {{ $flag }}
{{- end }}
{{- else if kindIs "slice" $value }}
{{- if $value }}
- {{ printf "%s=%s" $flag (join "," $value) | quote }}
{{- end }}
{{- else if kindIs "float64" $value }}
- {{ printf "%s=%d" $flag (int64 $value) }}
{{- else }}
- {{ printf "%s=%v" $flag $value | quote }}
{{- end }}
{{- end }}
{{- if .Values.trustAnchor.configMapName }}
- {{ printf "--trust-anchor=/etc/payg-operator/trust/%s" .Values.trustAnchor.key | quote }}
{{- end }}
{{- if .Values.hooks.secretName }}
- {{ printf "--hooks-listen=%s" .Values.hooks.listen | quote }}
- --hooks-token-file=/etc/payg-operator/hooks/token
{{- end }}
{{- end }}

{{- define "payg.hooksPort" -}}
{{- regexFind "[0-9]+$" .Values.hooks.listen -}}
{{- end }}

{{- define "payg.probesPort" -}}
{{- regexFind "[0-9]+$" (.Values.operator.probesListen | default "[::]:8082") -}}
{{- end }}

{{- define "payg.port" -}}
{{- regexFind "[0-9]+$" (.Values.operator.listen | default "[::]:8080") -}}
{{- end }}
