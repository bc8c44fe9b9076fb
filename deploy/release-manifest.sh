#!/usr/bin/env bash
# Writes all that is installed, with the image that is given, into one file for `kubectl apply --server-side -f`.
#
#   release-manifest.sh IMAGE FILE
set -euo pipefail
[ $# = 2 ] && [ -n "$1" ] && [ -n "$2" ] || { echo "Usage: release-manifest.sh REGISTRY/NAME:TAG FILE" >&2; exit 2; }
kustomize=$("$(dirname "${BASH_SOURCE[0]}")/../tests/tools/build.sh")/kustomize
default=$(realpath "$(dirname "${BASH_SOURCE[0]}")/kustomize/default")

overlay=$(mktemp -d)
trap 'rm -rf "$overlay"' EXIT
(
    cd "$overlay"
    "$kustomize" create --resources "$(realpath --relative-to . "$default")"
    "$kustomize" edit set image "payg-operator=$1"
)
mkdir -p "$(dirname "$2")"
"$kustomize" build "$overlay" >"$2"
