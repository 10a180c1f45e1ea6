cd "$1"
for page in *.html; do
    [ "$page" = index.html ] && continue
    printf '<a href="%s">%s</a>\n' "$page" "$(basename "$page" .html)"
done
