#!/usr/bin/env bash
# virtual_environment.sh PYTHON FOLDER: an environment in FOLDER, or one message that says what is missing.
set -euo pipefail
python=$1 folder=$2

stop() { echo "$1" >&2; exit 1; }

command -v "$python" >/dev/null ||
    stop "No $python here. Install it with: sudo apt-get install -y python3 python3-venv"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    stop "$("$python" --version) found; 3.11 or later is needed. Name another: make install PYTHON=python3.11"
[ -x "$folder/bin/pip" ] && exit 0
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    stop "$python cannot make virtual environments. Install that with: sudo apt-get install -y python3-venv"
"$python" -m venv "$folder"
