BEGIN { print "<title>" site "</title>" }
/^= / { print "<h1>" substr($0, 3) "</h1>"; next }
/^- / { if (!list) print "<ul>"; list = 1; print "<li>" substr($0, 3) "</li>"; next }
list { print "</ul>"; list = 0 }
NF { print "<p>" $0 "</p>" }
END { if (list) print "</ul>" }
