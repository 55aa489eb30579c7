# tests/tool/bench_tool.sh - what the test_bench*.sh share: short runs of `attend bench`, and reading its CSV.
#
# Everything is measured at sizes that take milliseconds. No case depends on how fast the machine is.
. "$here/../support/tool.sh"

brief=(--yardstick-time 0.001 --no-restart)
small=(--d-model 64 --heads 4 --kv-heads 2 --head-dim 16 --repeat 2 "${brief[@]}")

run() {
  run_tool bench "$@"
}

# csv COLUMN...: for each row of the CSV in $out the fields of these columns, separated by '|'. Fails
# unless every line is ended by CR LF and has as many fields as the header. Knows quoted fields.
csv() {
  awk -v wanted="$*" '
    function split_line(line, fields,   n, rest) {
      for (n = 0; line != "" || n == 0; ) {
        if (match(line, /^"([^"]|"")*"/)) {
          fields[++n] = substr(line, 2, RLENGTH - 2)
          gsub(/""/, "\"", fields[n])
        } else {
          match(line, /^[^,]*/)
          fields[++n] = substr(line, 1, RLENGTH)
        }
        rest = substr(line, RLENGTH + 1)
        if (rest == ",") fields[++n] = ""
        line = substr(rest, 2)
      }
      return n
    }
    !sub(/\r$/, "") { print "line " NR " does not end in CR LF"; exit 1 }
    { count = split_line($0, fields) }
    NR == 1 {
      width = count
      for (i = 1; i <= count; i++) at[fields[i]] = i
      columns = split(wanted, names, " ")
      next
    }
    count != width { print "line " NR " has " count " fields, the header " width; exit 1 }
    {
      line = ""
      for (i = 1; i <= columns; i++) line = line (i > 1 ? "|" : "") fields[at[names[i]]]
      print line
    }' "$out"
}

# csv_is EXPECTED COLUMN...: the fields of these columns, one row per line.
csv_is() {
  local expected=$1 found
  shift
  found=$(csv "$@")
  [ "$found" = "$expected" ] || disagree "in $*:
$expected
found:
$found
"
}
