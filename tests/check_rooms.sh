#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# check_rooms.sh OBJECTS: no file of bench/ includes a header of a room that bench/README.md does
# not allow its own, and no two object files call each other, directly or through others.
set -e

rooms=$(awk -F'|' '$2 ~ /^ `[a-z]*\/` $/ { gsub(/[`\/ ]/, "", $2); print $2 ":" $4 }' bench/README.md)

grep -o '#include "bench/[a-z]*/' bench/*/*.[ch] | ROOMS="$rooms" awk -F'[/:"]' '
	BEGIN {
		n = split(ENVIRON["ROOMS"], row, "\n")
		for (i = 1; i <= n; i++) {
			split(row[i], part, ":")
			known[part[1]] = 1
			m = split(part[2], uses, " ")
			for (j = 1; j <= m; j++)
				may[part[1], uses[j]] = 1
		}
	}
	!($2 in known) { print "bench/README.md has no row for " $2 "/"; bad = 1 }
	$2 != $6 && !(($2, $6) in may) { print $0 ": " $2 "/ may not use " $6 "/"; bad = 1 }
	END { exit bad }'

# "A B" for A that needs a symbol of B; tsort names the members of a circle.
nm -A -P "$@" | awk '
	{ sub(/: .*/, "", $1); sub(/:$/, "", $1) }
	$3 ~ /[TDBRC]/ { home[$2] = $1 }
	$3 == "U" { need[$1, $2] = 1 }
	END {
		for (k in need) {
			split(k, p, SUBSEP)
			if (p[2] in home)
				print p[1], home[p[2]]
		}
	}' | tsort >/dev/null
