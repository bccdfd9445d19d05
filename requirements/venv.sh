#!/bin/sh
# Makes (or renews) the virtual environment named by the first argument, with the package in it.
set -eu
venv=$1
here=$(dirname "$0")

python=""
for name in ${PYTHON:-python3.11 python3.12 python3.13 python3}; do
  if command -v "$name" >/dev/null 2>&1 &&
    "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$name
    break
  fi
done
if [ -z "$python" ]; then
  echo "No Python 3.11 or newer was found. On Debian: apt-get install python3 python3-venv" >&2
  echo "If it is installed under another name: make PYTHON=/path/to/python" >&2
  exit 1
fi

if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
  echo "Making $venv with $("$python" --version)"
  rm -rf "$venv"
  if "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    "$python" -m venv "$venv"
  elif "$python" -m pip --version >/dev/null 2>&1; then
    # Debian without python3-venv: the pip that is there can fill an environment from outside.
    "$python" -m venv --without-pip "$venv"
    "$python" -m pip --python "$venv/bin/python" install -qq pip
  else
    echo "$python can make no virtual environment. On Debian: apt-get install python3-venv" >&2
    exit 1
  fi
fi

echo "Installing what shortlist needs into $venv (a few minutes the first time)"
PIP_CONSTRAINT=$here/constraints.txt "$venv/bin/python" -m pip install -qq -e "$here/..[test]"

if ! message=$("$venv/bin/python" -c 'import lightgbm' 2>&1); then
  echo "$message" | tail -n 1 >&2
  echo "LightGBM does not load. If libgomp.so.1 is missing, on Debian: apt-get install libgomp1" >&2
  exit 1
fi
