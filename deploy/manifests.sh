#!/usr/bin/env bash
# Renders what deploy/kustomize has of the chart.
#
#   manifests.sh [DIR]   into DIR, or else into deploy/kustomize; the test that compares the two gives one
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
dir=${1:-kustomize}
helm=$(../tests/tools/build.sh)/helm

render() { # file in DIR, template of the chart
    mkdir -p "$(dirname "$dir/$1")"
    {
        echo '# Rendered from deploy/chart by `make manifests`: change it there.'
        "$helm" template payg-operator chart --namespace payg-operator --values kustomize/values.yaml --show-only "templates/$2" |
            sed '/^# Source: /d; /^$/d'
    } >"$dir/$1"
}

render base/admission.yaml admission.yaml
render base/bounds.yaml bounds.yaml
render base/roles.yaml roles.yaml
render base/operator.yaml operator.yaml
render default/deployment.yaml deployment.yaml
render default/network.yaml network.yaml
