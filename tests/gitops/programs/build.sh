#!/usr/bin/env bash
# Provides Flux's kustomize-controller, flux-status and argocd-lua, and prints the directory that holds them and, in crds/, the
# kinds of Flux.
#
#   build.sh              build them, once, into the user's cache directory
#   build.sh --print-dir  only print where they are, or would be
#
# The directory is the only thing on stdout; everything else goes to stderr.
cd "$(dirname "${BASH_SOURCE[0]}")"
. ../../go-programs.sh

crds() { # module, its directory here
    local sources
    sources=$(cd "$2" && go mod download "$1" >&2 && go list -mod=readonly -m -f '{{.Dir}}' "$1") || fail "$1 could not be had"
    cp "$sources"/config/crd/bases/*.yaml "$partial/crds/"
    chmod u+w "$partial"/crds/* # modules are read-only
}

build_all() {
    say "building Flux's controller and Argo CD's Lua engine from source, once; expect ten minutes or more on two cores"
    mkdir "$partial/crds"
    crds github.com/fluxcd/kustomize-controller flux
    crds github.com/fluxcd/source-controller source-controller
    build kustomize-controller github.com/fluxcd/kustomize-controller flux
    build flux-status . flux
    build argocd-lua . argocd
}

provide gitops "Install Go 1.26 or later: https://go.dev/dl"
