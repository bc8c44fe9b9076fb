#!/usr/bin/env bash
# Packs the chart for an image that is published, which whoever installs it need not name then.
#
#   release-chart.sh REGISTRY/NAME@sha256:DIGEST DIRECTORY
set -euo pipefail
[[ $# = 2 && $1 =~ ^(.+)@(sha256:[0-9a-f]{64})$ ]] ||
    { echo "Usage: release-chart.sh REGISTRY/NAME@sha256:DIGEST DIRECTORY" >&2; exit 2; }
repository=${BASH_REMATCH[1]} digest=${BASH_REMATCH[2]}
deploy=$(dirname "${BASH_SOURCE[0]}")
helm=$("$deploy/../tests/tools/build.sh")/helm

chart=$(mktemp -d)
trap 'rm -rf "$chart"' EXIT
cp -R "$deploy/chart/." "$chart"
sed -i -e '/^# There is no published image/d' \
    -e "s|^  repository: \"\".*|  repository: $repository|" -e "s|^  digest: \"\".*|  digest: $digest|" "$chart/values.yaml"
"$helm" template payg-operator "$chart" | grep -F "image: \"$1\"" >/dev/null ||
    { echo "release-chart: the chart's values.yaml has no place for the image any more" >&2; exit 1; }
"$helm" package "$chart" --destination "$2"
