# SPDX-License-Identifier: GPL-2.0-or-later
# Cumulated distribution. Columns: fraction, latency.
load plots.'/common.gp'
set logscale x
set xlabel latency
set ylabel 'part of the operations (%)'
set yrange [0:100]
set format x latency_tics
do for [t in 'svg png'] {
	eval terminal(t)
	set output stem.'.'.t
	plot for [i = 0 : arms - 1] data index i using ($2 / per):(100 * $1) with lines lt i + 1 title columnheader(1)
	unset output
}
