#!/usr/bin/env bash
# Set up what is missing, then check style, types, the student template, run the tests, and grade the graders.
# Arguments go to pytest:  bash scripts/test.sh -k shapes     Without arguments everything is checked.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/setup.sh
export PATH="$PWD/.venv/bin:$PATH" PYTHONDONTWRITEBYTECODE=1

if [ $# -eq 0 ]; then
  ruff format --check .
  ruff check .
  mypy
  labmark release --check
fi
python -m pytest "$@"
if [ $# -eq 0 ]; then
  labmark verify
fi
