# SPDX-License-Identifier: GPL-2.0-or-later
# The Universal Scalability Law through the measured throughputs. Blocks: for each arm the points
# (number, estimate, low, high), then for each arm the curve (number, throughput).
# The axis follows the figures: an interval that is much longer ends at the border.
# Set by the caller: across, ylab.
load plots.'/common.gp'
set xlabel across
set ylabel ylab
stats data using 2 nooutput
set yrange [0:1.5 * STATS_max]
set format y '%.1s%c'
set xrange [0:*]
set offsets 0, graph 0.05, 0, 0
do for [t in 'svg png'] {
	eval terminal(t)
	set output stem.'.'.t
	plot for [i = 0 : arms - 1] data index arms + i using 1:2 with lines lt i + 1 title columnheader(1), \
		for [i = 0 : arms - 1] data index i using 1:2:3:4 with yerrorbars lt i + 1 dt 1 notitle
	unset output
}
