#!/usr/bin/env bash
# Provides etcd, kube-apiserver, kube-controller-manager and kubectl, and prints the directory that holds them.
#
#   build.sh              build them, once, into the user's cache directory
#   build.sh --print-dir  only print where they are, or would be
#
# With KUBEBUILDER_ASSETS set that directory is used as it is and nothing is built.
# The directory is the only thing on stdout; everything else goes to stderr.
set -euo pipefail

say() { echo "control-plane: $*" >&2; }
fail() { say "$@"; exit 1; }

print_dir=false
case "$*" in
'') ;;
--print-dir) print_dir=true ;;
*) fail "unknown arguments: $*. Usage: build.sh [--print-dir]" ;;
esac

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

cd "$(dirname "${BASH_SOURCE[0]}")"
export GOWORK=off

ways_out="Install Go 1.26 or later (https://go.dev/dl), or use prebuilt programs:
    export KUBEBUILDER_ASSETS=\$(setup-envtest use 1.36.x -p path)"
command -v go >/dev/null || fail "Go is not installed, and the programs are built with it. $ways_out"
go_version=$(go version) || fail "\"go version\" failed, and the programs are built with Go. $ways_out"
[[ $go_version =~ go1\.([0-9]+) && ${BASH_REMATCH[1]} -ge 26 ]] ||
    fail "the Go that is installed is too old ($go_version). $ways_out"

key=$({ cat build.sh go.mod go.sum; echo "$go_version"; } | sha256sum | cut -c1-16)
dir=${XDG_CACHE_HOME:-$HOME/.cache}/payg-operator/control-plane/$key

if $print_dir || [ -d "$dir" ]; then
    echo "$dir"
    exit
fi

partial=$dir.partial
compiler=
clean_up() {
    # The whole process group, because the compilers that Go started do not end with it.
    [ -z "$compiler" ] || { kill -TERM -- "-$compiler" && wait "$compiler"; } 2>/dev/null || true
    rm -rf "$partial"
}

build() { # program, package
    local started=$SECONDS
    # In the background, because a signal interrupts "wait" but not a command in the foreground.
    go build -mod=readonly -buildvcs=false -trimpath -ldflags "$ldflags" -o "$partial/$1" "$2" >&2 </dev/null &
    compiler=$!
    wait "$compiler" || { compiler=; fail "$1 could not be built; see above"; }
    compiler=
    say "built $1 in $((SECONDS - started)) s"
}

mkdir -p "$(dirname "$dir")"
exec 9>"$dir.lock"
flock --nonblock 9 || { say "another build of the same programs is running; waiting for it"; flock 9; }
if [ -d "$dir" ]; then
    echo "$dir"
    exit
fi

trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
rm -rf "$partial" # what a killed build left behind
mkdir "$partial"

kubernetes=$(go list -mod=readonly -m -f '{{.Version}}' k8s.io/kubernetes)
IFS=. read -r major minor _ <<<"${kubernetes#v}"
version=k8s.io/component-base/version
ldflags="-s -w -X $version.gitVersion=$kubernetes -X $version.gitMajor=$major -X $version.gitMinor=$minor"
export CGO_ENABLED=0 GOTMPDIR=$partial
set -m # a process group for each background command

say "building Kubernetes $kubernetes from source, once; expect about five and a half minutes on two cores"
build etcd go.etcd.io/etcd/server/v3
build kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver
build kube-controller-manager k8s.io/kubernetes/cmd/kube-controller-manager
build kubectl k8s.io/kubernetes/cmd/kubectl
mv "$partial" "$dir"
say "done in $SECONDS s"
echo "$dir"
