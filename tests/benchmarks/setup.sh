#!/usr/bin/env bash
# The environments of `make bench`: .build/bench-venv with the package and its pinned peers, .build/bench-pvv-venv with
# py_vollib_vectorized, which needs an older numba (left out where that does not install). Idempotent.
set -euo pipefail
cd "$(dirname "$0")/../.."

PYTHON=.venv/bin/python

install() { # folder, lock file
  local stamp
  stamp=$(cat "$2" | cksum)
  if [ "$(cat "$1/.setup" 2>/dev/null)" = "$stamp" ]; then return; fi
  echo "bench: installing $2 into $1"
  rm -rf "$1" && "$PYTHON" -m venv "$1"
  "$1/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --require-hashes -r "$2"
  echo "$stamp" > "$1/.setup"
}

mkdir -p .build
install .build/bench-venv requirements-bench.lock
install .build/bench-pvv-venv tests/benchmarks/py_vollib_vectorized.lock ||
  echo "bench: py_vollib_vectorized does not install here and is left out" >&2
