#!/usr/bin/env bash
# Make .venv beside this folder and install labmark with everything it needs. Safe to run again; quick when
# nothing has changed. LABMARK_PYTHON names another Python than python3.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=${LABMARK_PYTHON:-python3}
venv=.venv
stamp=$venv/.labmark-installed

say() { printf 'setup: %s\n' "$*" >&2; }

if ! command -v "$python" >/dev/null; then
  say "no $python here. Install Python 3.11 or newer, or name one: LABMARK_PYTHON=/path/to/python3 $0"
  exit 2
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  say "$("$python" --version) is too old: labmark needs Python 3.11 or newer. Name one: LABMARK_PYTHON=/path/to/python3 $0"
  exit 2
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  package=python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "installing $package"
    apt-get update -qq && apt-get install -qq -y "$package"
  else
    say "Python's venv module is missing. On Debian or Ubuntu: sudo apt-get install $package"
    exit 2
  fi
fi

wanted=$(cat pyproject.toml constraints.txt scripts/setup.sh | sha256sum | cut -d' ' -f1)-$PWD
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && [ -x "$venv/bin/labmark" ]; then
  exit 0
fi

free=$(df -Pk . | awk 'NR==2 {print int($4 / 1024 / 1024)}')
if [ ! -d "$venv/lib" ] && [ "$free" -lt 8 ]; then
  say "PyTorch and the rest need about 6 GiB; only $free GiB are free here"
  exit 2
fi
say "installing into $venv (a few minutes and about 6 GiB the first time)"
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
printf '%s' "$wanted" > "$stamp"
say "done"
