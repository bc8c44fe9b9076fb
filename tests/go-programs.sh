# Builds programs from Go modules of this repository, once, into the user's cache directory. To be sourced by the build.sh
# beside the go.mod, which then calls
#
#   provide NAME WAYS_OUT   with a function `build_all` that calls `build PROGRAM PACKAGE [MODULE DIRECTORY]` for each
#
# NAME is what the messages and the cache call them, WAYS_OUT what to do without Go. It prints the directory that holds the
# programs, and nothing else on stdout. With --print-dir nothing is built: it is where they are, or would be.
# What they are built from is all in the key of the cache: the scripts, what is written in Go, each go.mod and go.sum, and the Go version.
set -euo pipefail

say() { echo "$name: $*" >&2; }
fail() { say "$@"; exit 1; }

print_dir=false
case "$*" in
'') ;;
--print-dir) print_dir=true ;;
*) name=$0; fail "unknown arguments: $*. Usage: build.sh [--print-dir]" ;;
esac

library=$(realpath "${BASH_SOURCE[0]}")
partial= compiler= ldflags='-s -w'

clean_up() {
    # The whole process group, because the compilers that Go started do not end with it.
    [ -z "$compiler" ] || { kill -TERM -- "-$compiler" && wait "$compiler"; } 2>/dev/null || true
    rm -rf "$partial"
}

build() { # program, package, directory of the module if not this one
    local started=$SECONDS
    # In the background, because a signal interrupts "wait" but not a command in the foreground.
    go build -C "${3:-.}" -mod=readonly -buildvcs=false -trimpath -ldflags "$ldflags" -o "$partial/$1" "$2" >&2 </dev/null &
    compiler=$!
    wait "$compiler" || { compiler=; fail "$1 could not be built; see above"; }
    compiler=
    say "built $1 in $((SECONDS - started)) s"
}

provide() { # name, ways out
    local name=$1 ways_out=$2 go_version key dir
    export GOWORK=off
    command -v go >/dev/null || fail "Go is not installed, and the programs are built with it. $ways_out"
    go_version=$(go version) || fail "\"go version\" failed, and the programs are built with Go. $ways_out"
    [[ $go_version =~ go1\.([0-9]+) && ${BASH_REMATCH[1]} -ge 26 ]] ||
        fail "the Go that is installed is too old ($go_version). $ways_out"

    key=$({ find . -name '*.go' -o -name go.mod -o -name go.sum | LC_ALL=C sort | xargs cat "$library" build.sh; echo "$go_version"; } |
        sha256sum | cut -c1-16)
    dir=${XDG_CACHE_HOME:-$HOME/.cache}/payg-operator/$name/$key
    if $print_dir || [ -d "$dir" ]; then
        echo "$dir"
        return
    fi

    partial=$dir.partial
    mkdir -p "$(dirname "$dir")"
    exec 9>"$dir.lock"
    flock --nonblock 9 || { say "another build of the same programs is running; waiting for it"; flock 9; }
    if [ -d "$dir" ]; then
        echo "$dir"
        return
    fi

    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    rm -rf "$partial" # what a killed build left behind
    mkdir "$partial"
    export CGO_ENABLED=0 GOTMPDIR=$partial
    set -m # a process group for each background command
    build_all
    mv "$partial" "$dir"
    say "done in $SECONDS s"
    echo "$dir"
}
