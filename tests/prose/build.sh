#!/usr/bin/env bash
# Provides vale, which lints prose, and prints the directory that holds it.
#
#   build.sh              build it, once, into the user's cache directory
#   build.sh --print-dir  only print where it is, or would be
#
# The directory is the only thing on stdout; everything else goes to stderr.
cd "$(dirname "${BASH_SOURCE[0]}")"
. ../go-programs.sh

build_all() {
    say "building vale from source, once; expect a minute or two on two cores"
    # It parses source code with tree-sitter, which is written in C. Nothing here uses that, so it need not be fast.
    export CGO_ENABLED=1 CGO_CFLAGS=-O0
    build vale github.com/vale-cli/vale/v3/cmd/vale
}

provide prose "Install Go 1.26 or later: https://go.dev/dl"
