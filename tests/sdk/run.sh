#!/usr/bin/env bash
# Drives `payg-dev simulator` with the SDKs of a cloud. Installs them, once, under target/; starts nothing that outlives it.
#
#   run.sh azure|aws                                         Python, JavaScript and Go
#   run.sh azure|aws python|javascript|go [its arguments]    one of them; the arguments are for pytest, node or the Go test
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

cloud=${1:-} language=${2:-}
fail() { echo "sdk${cloud:+-$cloud}: $*" >&2; exit 1; }
say() { echo "$*" >&2; }

case $cloud in azure | aws) shift ;; *) cloud=''; fail "Name the cloud: $0 azure, or $0 aws." ;; esac
case $language in python | javascript | go) shift ;; '') ;; *) fail "There are checks in python, javascript and go, and none in $language." ;; esac

target=$(realpath -m "${CARGO_TARGET_DIR:-../../target}")
export PAYG_DEV=${PAYG_DEV:-$target/debug/payg-dev}
[ -x "$PAYG_DEV" ] || fail "there is no $PAYG_DEV. Build it: cargo build --package payg-dev"

# Another program or another list of packages is another environment. The stamp says that all of it was installed.
is_stamped() { [ "$(cat "$1/stamp" 2>/dev/null)" = "$2" ]; }

# The leash ends the tests, and theirs ends the simulator, if this is killed.
on_a_leash() { setpriv --pdeathsig TERM "$@"; }

run_python() {
    local python=${PYTHON:-python3} environment=$target/sdk-$cloud wanted
    command -v "$python" >/dev/null || fail "$python is not installed. Install Python 3.11 or later, with its venv module."
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "$("$python" --version) is too old. Install Python 3.11 or later."
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$("$python" --version) has no venv or no ensurepip, which many distributions package apart. On Debian or Ubuntu: apt install python3-venv"
    wanted=$({ "$python" --version; command -v "$python"; cat "$cloud/requirements.txt"; } | sha256sum)
    if ! is_stamped "$environment" "$wanted"; then
        say "Installing the SDKs for Python of $cloud into $environment …"
        "$python" -m venv --clear "$environment"
        "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
            --requirement "$cloud/requirements.txt"
        echo "$wanted" >"$environment/stamp"
    fi
    # -I: not the modules of the environment. -B: nothing is written beside the sources.
    on_a_leash "$environment/bin/python" -IB -m pytest "$cloud" "$@"
}

run_javascript() {
    local environment=$target/sdk-javascript wanted program
    for program in node npm; do
        command -v "$program" >/dev/null || fail "$program is not installed. Install Node.js 20.6 or later, with npm: https://nodejs.org/en/download"
    done
    node -e 'const [major, minor] = process.versions.node.split("."); process.exit(major > 20 || (major == 20 && minor >= 6) ? 0 : 1)' ||
        fail "Node.js $(node --version) is too old. Install 20.6 or later: https://nodejs.org/en/download"
    wanted=$({ node --version; command -v node; cat javascript/package.json javascript/package-lock.json; } | sha256sum)
    if ! is_stamped "$environment" "$wanted"; then
        say "Installing the SDKs for JavaScript into $environment …"
        rm -rf "$environment"
        mkdir -p "$environment"
        cp javascript/package.json javascript/package-lock.json "$environment"
        npm ci --prefix "$environment" --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel error >&2 ||
            fail "npm could not install the packages of tests/sdk/javascript/package-lock.json; see above"
        echo "$wanted" >"$environment/stamp"
    fi
    NODE_PATH=$environment/node_modules on_a_leash node --test-reporter=spec "$@" "javascript/$cloud/index.js"
}

run_go() {
    local environment=$target/sdk-go
    command -v go >/dev/null || fail "Go is not installed. Install Go 1.26 or later: https://go.dev/dl"
    # As it is installed: no other one is fetched.
    export GOTOOLCHAIN=local GOWORK=off GOFLAGS=-mod=readonly
    go -C go list ./... >/dev/null || fail "this Go, or what it can download, does not fit tests/sdk/go/go.mod; see above. Install Go 1.26 or later: https://go.dev/dl"
    mkdir -p "$environment"
    go -C go vet ./...
    go -C go test -c -o "$environment/$cloud.test" "./$cloud"
    on_a_leash "$environment/$cloud.test" -test.v "$@"
}

if [ -n "$language" ]; then
    "run_$language" "$@"
else
    run_python
    run_javascript
    run_go
fi
