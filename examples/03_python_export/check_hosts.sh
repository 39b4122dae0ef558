#!/usr/bin/env bash
# check_hosts.sh FOLDER OCEAN HOST…: the hosts of examples 01 and 02 run the models that check.sh left in FOLDER. They
# end with an error if a budget does not close, or the year's heat uptake is not this ocean's.
# Ends with 77 where there are no models.
set -euo pipefail
folder=${1:?} ocean=${2:?}
shift 2
for model in gaussian flow; do
  file=$folder/$model.safetensors
  [ -e "$file" ] || { echo "skipped: there is no $file (check.sh writes it)"; exit 77; }
  for host; do
    echo "== $host $model"
    "$host" "$file" "$ocean" | tee "$folder/host.txt"
    grep -q '^the global heat budget closes$' "$folder/host.txt"
  done
done
