#!/usr/bin/env bash
# Drives `payg simulator` with the SDKs for Python of a cloud. Installs them, once, under target/; starts nothing that outlives it.
#
#   run.sh azure|aws [pytest's arguments]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

cloud=${1:-}
fail() { echo "sdk${cloud:+-$cloud}: $*" >&2; exit 1; }

case $cloud in azure | aws) shift ;; *) cloud=''; fail "Name the cloud: $0 azure, or $0 aws." ;; esac

target=$(realpath -m "${CARGO_TARGET_DIR:-../../target}")
export PAYG=${PAYG:-$target/debug/payg}
[ -x "$PAYG" ] || fail "there is no $PAYG. Build it: cargo build"

python=${PYTHON:-python3}
command -v "$python" >/dev/null || fail "$python is not installed. Install Python 3.11 or later, with its venv module."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "$("$python" --version) is too old. Install Python 3.11 or later."
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "$("$python" --version) has no venv or no ensurepip, which many distributions package apart. On Debian or Ubuntu: apt install python3-venv"

# Another Python or another list of packages is another environment. The stamp says that all of it was installed.
wanted=$({ "$python" --version; command -v "$python"; cat "$cloud/requirements.txt"; } | sha256sum)
environment=$target/sdk-$cloud
if [ "$(cat "$environment/stamp" 2>/dev/null)" != "$wanted" ]; then
    echo "Installing the SDKs for Python of $cloud into $environment …" >&2
    "$python" -m venv --clear "$environment"
    "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
        --requirement "$cloud/requirements.txt"
    echo "$wanted" >"$environment/stamp"
fi

# -I: not the modules of the environment. -B: nothing is written beside the sources. The leash ends pytest, and pytest's ends the simulator, if this is killed.
exec setpriv --pdeathsig TERM "$environment/bin/python" -IB -m pytest "$cloud" "$@"
