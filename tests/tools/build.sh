#!/usr/bin/env bash
# Provides helm, kustomize, kubeconform, kube-score and actionlint, and prints the directory that holds them. Beside them is
# servicemonitor.yaml, the definition of the Prometheus operator's kind.
#
#   build.sh              build them, once, into the user's cache directory
#   build.sh --print-dir  only print where they are, or would be
#
# The directory is the only thing on stdout; everything else goes to stderr.
cd "$(dirname "${BASH_SOURCE[0]}")"
. ../go-programs.sh

copy() { # name, module directory, module, file in it
    go -C "$2" mod download "$3" >&2 || fail "$3 could not be downloaded; see above"
    cp "$(go -C "$2" list -mod=readonly -m -f '{{.Dir}}' "$3")/$4" "$partial/$1"
}

build_all() {
    say "building Helm, kustomize and three linters from source, once; expect a few minutes on two cores"
    build helm helm.sh/helm/v4/cmd/helm
    build kustomize sigs.k8s.io/kustomize/kustomize/v5
    build kubeconform github.com/yannh/kubeconform/cmd/kubeconform
    build actionlint github.com/rhysd/actionlint/cmd/actionlint
    build kube-score github.com/zegl/kube-score/cmd/kube-score kube-score
    copy servicemonitor.yaml prometheus-operator github.com/prometheus-operator/prometheus-operator \
        example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml
}

provide tools "Install Go 1.26 or later: https://go.dev/dl"
