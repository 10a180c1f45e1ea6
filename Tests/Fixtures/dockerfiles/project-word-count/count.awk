{ for (i = 1; i <= NF; i++) seen[$i]++ }
END { for (word in seen) print seen[word], word | "sort -k1,1nr -k2" }
