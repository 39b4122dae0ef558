# The demo's table: closure and scores of the model with laws beside those of the model without.
BEGIN { FS = "\t" }
$1 == "law" {
  if (!($3 in law_seen)) { law_seen[$3]; laws[++law_count] = $3 }
  largest[$2, $3] = $5; relative[$2, $3] = $6; passed[$2, $3] = ($8 == "ON" || $8 == "true") ? "yes" : "no"
  law_units[$3] = $4
}
$1 == "score" {
  if (!($3 in seen)) { seen[$3]; variables[++count] = $3 }
  units[$3] = $4
  rmse[$2, $3] = $5; crps[$2, $3] = $6; coverage[$2, $3] = $7
  sum_rmse[$2] += $5; sum_crps[$2] += $6; sum_coverage[$2] += $7
}
END {
  printf "%-30s %-22s   %-22s\n", "", "conditional", "none (no laws)"
  printf "%-30s %10s %11s   %10s %11s\n", "law", "max |res.|", "relative", "max |res.|", "relative"
  for (i = 1; i <= law_count; ++i) {
    l = laws[i]
    printf "%-30s %10.2e %11.1e   %10.2e %11.1e\n", l " [" law_units[l] "]", largest["conditional", l],
      relative["conditional", l], largest["none", l], relative["none", l]
  }
  printf "\n%-24s %8s %8s %8s   %8s %8s %8s\n", "variable", "RMSE", "CRPS", "cov. 90", "RMSE", "CRPS", "cov. 90"
  for (i = 1; i <= count; ++i) {
    v = variables[i]
    printf "%-24s %8.3f %8.3f %8.3f   %8.3f %8.3f %8.3f\n", v " [" units[v] "]", rmse["conditional", v],
      crps["conditional", v], coverage["conditional", v], rmse["none", v], crps["none", v], coverage["none", v]
  }
  if (count > 0)
    printf "%-24s %8.3f %8.3f %8.3f   %8.3f %8.3f %8.3f\n", "mean", sum_rmse["conditional"] / count,
      sum_crps["conditional"] / count, sum_coverage["conditional"] / count, sum_rmse["none"] / count,
      sum_crps["none"] / count, sum_coverage["none"] / count
}
