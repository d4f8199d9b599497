# SPDX-License-Identifier: GPL-2.0-or-later
# One boot of each arm: the workload's rate above, the work of the antagonists below.
# The line tells the arm, the point the antagonist. Columns: seconds, workload, then the antagonists (events per second each); of
# instructions millions in the place of seconds.
# Set by the caller: ylab, antagonists (names, blank between).
height = 760
load plots.'/common.gp'
n = words(antagonists)
set bmargin 5
set lmargin 10
set xrange [0:*]
set xlabel instructions ? 'millions of instructions in the measured phase' : 'time in the measured phase (s)' offset 0, 0.5
do for [t in 'svg png'] {
	eval terminal(t)
	set output stem.'.'.t
	set multiplot layout 2, 1
	set title heading
	set label 100 note at graph 1, graph 1.05 right
	set yrange [0:*]
	set format y '%.1s%c'
	set ylabel ylab
	plot for [i = 0 : arms - 1] data index i using 1:2 with lines lt i + 1 title columnheader(1)
	unset title
	unset label 100
	set format y instructions ? '%g' : '%.1s%c'
	set ylabel instructions ? 'antagonists (1/Minsn)' : 'antagonists (1/s)'
	plot for [i = 0 : arms - 1] for [k = 1 : n] data index i using 1:(column(k + 2)) with linespoints \
		lt i + 1 pt 4 + 2 * k title sprintf('%s, %s', word(antagonists, k), word(names, i + 1))
	unset multiplot
	unset output
}
