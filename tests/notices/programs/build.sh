#!/usr/bin/env bash
# Provides alertmanager, amtool and flux-event, and prints the directory that holds them.
#
#   build.sh              build them, once, into the user's cache directory
#   build.sh --print-dir  only print where they are, or would be
#
# The directory is the only thing on stdout; everything else goes to stderr.
cd "$(dirname "${BASH_SOURCE[0]}")"
. ../../go-programs.sh

# The module comes without Alertmanager's pages, which npm makes. The tests use its API alone, so the pages are left empty.
sources() {
    local module
    go mod download >&2 || fail "Alertmanager's module could not be downloaded; see above"
    module=$(go list -mod=readonly -m -f '{{.Dir}}' github.com/prometheus/alertmanager)
    cp -r "$module" "$partial/sources"
    chmod -R u+w "$partial/sources"
    for pages in elm mantine; do
        mkdir -p "$partial/sources/ui/app/dist/$pages"
        echo '<!DOCTYPE html>' >"$partial/sources/ui/app/dist/$pages/index.html"
    done
}

build_all() {
    say "building Alertmanager and amtool from source, once; expect a few minutes on two cores"
    sources
    build alertmanager ./cmd/alertmanager "$partial/sources"
    build amtool ./cmd/amtool "$partial/sources"
    rm -rf "$partial/sources"
    build flux-event . flux-event
}

provide notices "Install Go 1.26 or later: https://go.dev/dl"
