#!/usr/bin/env bash
# Installs the servers of servers/requirements.txt, once, under target/, and prints the Python that has them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

fail() { echo "notices: $*" >&2; exit 1; }

python=${PYTHON:-python3}
environment=$(realpath -m "${CARGO_TARGET_DIR:-../../target}")/notices-python
command -v "$python" >/dev/null || fail "$python is not installed. Install Python 3.11 or later, with its venv module."
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "$("$python" --version) has no venv or no ensurepip, which many distributions package apart. On Debian or Ubuntu: apt install python3-venv"
wanted=$({ "$python" --version; command -v "$python"; cat servers/requirements.txt; } | sha256sum)
mkdir -p "$(dirname "$environment")"
exec 9>"$environment.lock"
flock 9
if [ "$(cat "$environment/stamp" 2>/dev/null)" != "$wanted" ]; then
    "$python" -m venv --clear "$environment" >&2
    "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
        --requirement servers/requirements.txt >&2
    echo "$wanted" >"$environment/stamp"
fi
echo "$environment/bin/python"
