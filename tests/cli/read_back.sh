#!/usr/bin/env bash
# Every generated value, read back by a program that is not ours (ncdump) and checked by another (awk): the relative
# residual of both laws of the ocean's heat budget, in double and in float storage.
set -euo pipefail
for tool in ncdump awk; do
  command -v "$tool" >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
data=/usr/share/ferret-vis/data/esku_heat_budget.cdf
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
lavoisier=${LAVOISIER_COMMAND:?}
members=${MEMBERS:-2}
model=${MODEL:-$folder/m.safetensors}
[ -e "$model" ] || "$lavoisier" train --domain ocean_heat_budget --data "$data" --hidden 16 --epochs 3 --quiet --output "$model"

check() {  # storage, tolerance
  "$lavoisier" generate --model "$model" --inputs "$data" --members "$members" --storage "$1" --quiet --output "$folder/$1"
  for file in "$folder/$1"/*.nc; do
    ncdump -p 9,17 -v FSR,FUL,FDR,FLH,FSH,FDH "$file"
  done | awk -v tolerance="$2" -v members="$members" -v storage="$1" '
    function abs(x) { return x < 0 ? -x : x }
    function close_all(   i, r, t) {
      for (i = 1; i <= n["FDH"]; ++i) {
        if (v["FDH", i] == "_") continue
        ++cells
        r = abs(v["FDR", i] - v["FSR", i] + v["FUL", i])
        t = abs(v["FDR", i]) + abs(v["FSR", i]) + abs(v["FUL", i])
        if (t > 0 && r / t > worst) worst = r / t
        r = abs(v["FDH", i] - v["FDR", i] + v["FLH", i] + v["FSH", i])
        t = abs(v["FDH", i]) + abs(v["FDR", i]) + abs(v["FLH", i]) + abs(v["FSH", i])
        if (t > 0 && r / t > worst) worst = r / t
      }
    }
    /^data:/ { if (inside) close_all(); inside = 1; delete n; delete v; next }
    /^}/ { name = "" }
    inside && / = *$/ { name = $1; next }
    inside && /^ *F[A-Z]+ =/ { name = $1; sub(/^ *F[A-Z]+ =/, "") }
    inside && name != "" {
      last = /;/
      gsub(/[;,]/, " ")
      m = split($0, words, " ")
      for (i = 1; i <= m; ++i) v[name, ++n[name]] = words[i] == "_" ? "_" : words[i] + 0
      if (last) name = ""
    }
    END {
      close_all()
      printf "%s: %d cells of %d members, largest relative residual %.3g (bound %g)\n", storage, cells, members, worst, tolerance
      exit !(cells == 19985 * members && worst <= tolerance)
    }'
}
check f64 1e-14
check f32 5e-7
