#!/usr/bin/env bash
# Drives `payg simulator` with Microsoft's SDKs for Python. Installs them, once, under target/; starts nothing that outlives it.
#
#   run.sh [pytest's arguments]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

fail() { echo "sdk-azure: $*" >&2; exit 1; }

target=$(realpath -m "${CARGO_TARGET_DIR:-../../../target}")
export PAYG=${PAYG:-$target/debug/payg}
[ -x "$PAYG" ] || fail "there is no $PAYG. Build it: cargo build"

python=${PYTHON:-python3}
command -v "$python" >/dev/null || fail "$python is not installed. Install Python 3.11 or later, with its venv module."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "$("$python" --version) is too old. Install Python 3.11 or later."
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "$("$python" --version) has no venv or no ensurepip, which many distributions package apart. On Debian or Ubuntu: apt install python3-venv"

# Another Python or another list of packages is another environment. The stamp says that all of it was installed.
wanted=$({ "$python" --version; command -v "$python"; cat requirements.txt; } | sha256sum)
environment=$target/sdk-azure
if [ "$(cat "$environment/stamp" 2>/dev/null)" != "$wanted" ]; then
    echo "Installing Microsoft's SDKs for Python into $environment …" >&2
    "$python" -m venv --clear "$environment"
    "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
        --requirement requirements.txt
    echo "$wanted" >"$environment/stamp"
fi

# -I: not the modules of the environment. -B: nothing is written beside the sources. The leash ends pytest, and pytest's ends the simulator, if this is killed.
exec setpriv --pdeathsig TERM "$environment/bin/python" -IB -m pytest "$@"
