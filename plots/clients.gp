# SPDX-License-Identifier: GPL-2.0-or-later
# Transactions per second and p99 by number of clients. Columns: clients, tps, low, high, p99 in ns, low, high.
height = 760
load plots.'/common.gp'
set bmargin 5
set lmargin 10
set xrange [0:*]
set offsets 0, graph 0.05, graph 0.1, 0
set xlabel 'clients' offset 0, 0.5
do for [t in 'svg png'] {
	eval terminal(t)
	set output stem.'.'.t
	set multiplot layout 2, 1
	set title heading
	set label 100 note at graph 1, graph 1.05 right
	set yrange [0:*]
	set ylabel 'transactions per second'
	set format y '%.1s%c'
	plot for [i = 0 : arms - 1] data index i using 1:2 with lines lt i + 1 title columnheader(1), \
		for [i = 0 : arms - 1] data index i using 1:2:3:4 with yerrorbars lt i + 1 dt 1 notitle
	unset title
	unset label 100
	set ylabel 'p99 latency (ms)'
	set format y '%g'
	plot for [i = 0 : arms - 1] data index i using 1:($5 / 1e6) with lines lt i + 1 title columnheader(1), \
		for [i = 0 : arms - 1] data index i using 1:($5 / 1e6):($6 / 1e6):($7 / 1e6) with yerrorbars lt i + 1 dt 1 notitle
	unset multiplot
	unset output
}
