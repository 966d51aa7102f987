{{- define "imagerag.labels" -}}
app.kubernetes.io/name: imagerag
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{- define "imagerag.selector" -}}
app.kubernetes.io/name: imagerag
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* The name that a dependency gives what it makes: the release's, unless that contains the chart's. */}}
{{- define "imagerag.dependency" -}}
{{- $name := index . 1 -}}
{{- $release := (index . 0).Release.Name -}}
{{- if contains $name $release }}{{ $release }}{{ else }}{{ printf "%s-%s" $release $name }}{{ end -}}
{{- end -}}

{{/* What a pod of the program's image has besides its command, ports, probes and resources. */}}
{{- define "imagerag.pod" -}}
serviceAccountName: imagerag
automountServiceAccountToken: false
securityContext: {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
volumes:
  - name: home
    persistentVolumeClaim: {claimName: imagerag-home}
  - name: instance
    configMap: {name: imagerag-instance}
  - name: tmp
    emptyDir: {}
{{- end -}}

{{- define "imagerag.container" -}}
image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
  readOnlyRootFilesystem: true
envFrom:
  - configMapRef: {name: imagerag-settings}
  - secretRef: {name: imagerag-secrets}
env:
  - name: DAGSTER_PG_PASSWORD
    valueFrom:
      secretKeyRef: {name: {{ .Values.dagster.global.postgresqlSecretName }}, key: postgresql-password}
volumeMounts:
  - {name: home, mountPath: /var/lib/imagerag}
  - {name: instance, mountPath: /var/lib/imagerag/dagster/dagster.yaml, subPath: dagster.yaml}
  - {name: tmp, mountPath: /tmp}
{{- end -}}

{{/* A probe that asks an address as the healthcheck of compose.yaml does. */}}
{{- define "imagerag.asking" -}}
exec:
  command:
    - python
    - -c
    - "import os, urllib.request as r; r.urlopen(r.Request('{{ . }}', headers={'Authorization': 'Bearer ' + os.environ['IMAGERAG_SERVE_READ_TOKEN']}), timeout=10)"
{{- end -}}

{{- define "imagerag.ingress" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $port := index . 2 -}}
{{- $at := index $root.Values $name -}}
{{- if $at.ingress.enabled }}{{ $_ := required (printf "%s.ingress.host is needed" $name) $at.ingress.host }}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: imagerag-{{ $name }}
  labels: {{- include "imagerag.labels" $root | nindent 4 }}
  {{- with $at.ingress.annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- with $at.ingress.className }}
  ingressClassName: {{ . }}
  {{- end }}
  {{- with $at.ingress.tlsSecret }}
  tls:
    - hosts: [{{ $at.ingress.host | quote }}]
      secretName: {{ . }}
  {{- end }}
  rules:
    - host: {{ $at.ingress.host | quote }}
      http:
        paths:
          - path: /
            pathType: Prefix
            backend:
              service:
                name: imagerag-{{ $name }}
                port: {number: {{ $port }}}
{{- end }}
{{- end -}}
