#!/usr/bin/env bash
# check.sh FOLDER: exports both models to FOLDER and runs them through `lavoisier`. What may fail is made to fail too: a
# file with one weight off, one with one byte changed. Ends with 77 where Python lacks a module.
#
# LAVOISIER_COMMAND names the command, LAVOISIER_PYTHON a Python with torch and safetensors (default: those on PATH).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=${1:?usage: check.sh FOLDER}
lavoisier=${LAVOISIER_COMMAND:-lavoisier}
python=${LAVOISIER_PYTHON:-python3}
ocean=/usr/share/ferret-vis/data/esku_heat_budget.cdf
export PYTHONDONTWRITEBYTECODE=1
export OMP_NUM_THREADS=1  # more are no faster, and much slower beside other work

fail() { printf 'check.sh: %s\n' "$*" >&2; exit 1; }
rm -rf "$folder"
mkdir -p "$folder"
"$python" -c 'import torch, safetensors.torch' 2>/dev/null ||
  { echo "skipped: $python has no torch, or no safetensors (scripts/bootstrap installs them)"; exit 77; }

# draws NAME: what the plugin draws from NAME.safetensors, compared with PyTorch.
draws() {
  "$lavoisier" generate --quiet --model "$folder/$1.safetensors" --domain "$here/ocean_table.toml" \
    --inputs "$folder/$1_inputs.csv" --members 3 --seed 5 --output "$folder/$1.csv"
  "$python" "$here/compare.py" "$folder/$1_expected.csv" "$folder/$1.csv"
}

# refused ARGUMENT…: the command must refuse a changed file, and say why.
refused() {
  ! "$lavoisier" "$@" >/dev/null 2>"$folder/refusal.txt" || fail "lavoisier $1 takes a changed file"
  grep -F 'changed after it was written' "$folder/refusal.txt" ||
    fail "lavoisier $1 does not say why: $(cat "$folder/refusal.txt")"
}

for model in gaussian flow; do
  file=$folder/$model.safetensors
  echo "== $model"
  "$python" "$here/export_$model.py" "$folder" --twin
  "$lavoisier" inspect "$file" >"$folder/$model.txt"
  grep -F 'digest holds' "$folder/$model.txt"
  [ "$model" = gaussian ] || grep -x 'Subgraph denoiser' "$folder/$model.txt"
  "$python" - "$file" <<'EOF'
import sys
from safetensors import safe_open
with safe_open(sys.argv[1], "pt") as file:
    assert sorted(file.metadata()) == ["lavoisier", "sha256"], file.metadata()
    print("safetensors opens it:", len(list(file.keys())), "tensors")
EOF
  draws "$model"

  echo "-- one weight off: must be found"
  status=0
  draws "${model}_twin" || status=$?
  [ "$status" = 3 ] || fail "one weight is off, and the comparison ends with $status"

  echo "-- one byte changed: must be refused"
  "$python" - "$file" "$folder/changed.safetensors" <<'EOF'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
data[-100] ^= 1
open(sys.argv[2], "wb").write(data)
EOF
  refused inspect "$folder/changed.safetensors"
  refused generate --model "$folder/changed.safetensors" --domain "$here/ocean_table.toml" \
    --inputs "$folder/${model}_inputs.csv" --output "$folder/changed.csv"

  if [ -e "$ocean" ]; then
    echo "-- the real ocean's inputs: the laws hold"
    "$lavoisier" generate --quiet --model "$file" --inputs "$ocean" --members 2 --output "$folder/${model}_ocean" \
      --json "$folder/${model}_ocean.json"
    grep -F '"max_relative"' "$folder/${model}_ocean.json"
  fi
done
