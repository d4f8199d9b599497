# SPDX-License-Identifier: GPL-2.0-or-later
# Transactions per second and p99 by number of clients. Columns: clients, tps, low, high, p99 in ns, low, high;
# in mode exact per million instructions, and p99 in instructions.
# The axes follow the figures: an interval from two boots may be a thousand times as long, and ends at the
# border then. Arms stand a little apart so that no interval hides another.
height = 760
load plots.'/common.gp'
set bmargin 5
set lmargin 10
set xlabel 'clients' offset 0, 0.5
stats data using 1 nooutput
apart = 0.008 * STATS_max
left(i) = (i - (arms - 1) / 2.0) * apart
set xrange [0:1.06 * STATS_max]
stats data using 2 nooutput
set_tps = sprintf('set yrange [0:%g]', 1.5 * STATS_max)
has_p99 = 0
stats data using 5 nooutput
one = instructions ? 1 : 1e6
if (STATS_records > 0) { has_p99 = 1; set_p99 = sprintf('set yrange [0:%g]', 1.5 * STATS_max / one) }
do for [t in 'svg png'] {
	eval terminal(t)
	set output stem.'.'.t
	set multiplot layout 2, 1
	set title heading
	set label 100 note at graph 1, graph 1.05 right
	eval set_tps
	set ylabel instructions ? 'transactions per million instructions' : 'transactions per second'
	set format y instructions ? '%g' : '%.0s%c'
	plot for [i = 0 : arms - 1] data index i using ($1 + left(i)):2 with lines lt i + 1 title columnheader(1), \
		for [i = 0 : arms - 1] data index i using ($1 + left(i)):2:3:4 with yerrorbars lt i + 1 dt 1 notitle
	unset title
	unset label 100
	set ylabel instructions ? 'p99 latency (instructions)' : 'p99 latency (ms)'
	set format y instructions ? '%.1s%c' : '%g'
	if (has_p99) {
		eval set_p99
		plot for [i = 0 : arms - 1] data index i using ($1 + left(i)):($5 / one) with lines lt i + 1 title columnheader(1), \
			for [i = 0 : arms - 1] data index i using ($1 + left(i)):($5 / one):($6 / one):($7 / one) with yerrorbars lt i + 1 dt 1 notitle
	}
	unset multiplot
	unset output
}
