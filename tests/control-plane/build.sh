#!/usr/bin/env bash
# Provides etcd, kube-apiserver, kube-controller-manager and kubectl, and prints the directory that holds them.
#
#   build.sh              build them, once, into the user's cache directory
#   build.sh --print-dir  only print where they are, or would be
#
# With KUBEBUILDER_ASSETS set that directory is used as it is and nothing is built.
# The directory is the only thing on stdout; everything else goes to stderr.
cd "$(dirname "${BASH_SOURCE[0]}")"
. ../go-programs.sh

name=control-plane
if [ -n "${KUBEBUILDER_ASSETS:-}" ]; then
    if ! $print_dir; then
        for program in etcd kube-apiserver kubectl; do
            [ -x "$KUBEBUILDER_ASSETS/$program" ] ||
                fail "there is no $program in KUBEBUILDER_ASSETS ($KUBEBUILDER_ASSETS). Fill it by: setup-envtest use 1.36.x -p path"
        done
        [ -x "$KUBEBUILDER_ASSETS/kube-controller-manager" ] ||
            say "note: KUBEBUILDER_ASSETS has no kube-controller-manager (setup-envtest ships none); what needs one will be skipped"
    fi
    echo "$KUBEBUILDER_ASSETS"
    exit
fi

build_all() {
    local kubernetes major minor version=k8s.io/component-base/version
    kubernetes=$(go list -mod=readonly -m -f '{{.Version}}' k8s.io/kubernetes)
    IFS=. read -r major minor _ <<<"${kubernetes#v}"
    ldflags="-s -w -X $version.gitVersion=$kubernetes -X $version.gitMajor=$major -X $version.gitMinor=$minor"
    say "building Kubernetes $kubernetes from source, once; expect six to nine minutes on two cores"
    build etcd go.etcd.io/etcd/server/v3
    build kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver
    build kube-controller-manager k8s.io/kubernetes/cmd/kube-controller-manager
    build kubectl k8s.io/kubernetes/cmd/kubectl
}

provide "$name" "Install Go 1.26 or later (https://go.dev/dl), or use prebuilt programs:
    export KUBEBUILDER_ASSETS=\$(setup-envtest use 1.36.x -p path)"
