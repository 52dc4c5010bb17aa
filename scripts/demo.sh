#!/usr/bin/env bash
# Set up what is missing, make the sample class and mark it in the quick profile.
#   bash scripts/demo.sh [FOLDER]      FOLDER (default: demo-out) gets submissions/ and marks/
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
case ${1:-} in -h | --help) sed -n '2,3s/^# //p' "$0"; exit 0 ;; esac
bash scripts/setup.sh
out=${1:-demo-out}
export PATH="$PWD/.venv/bin:$PATH"

python -m tests.sample_class.build "$out/submissions"
labmark grade "$out/submissions" -o "$out/marks" --profile quick --seed 7
