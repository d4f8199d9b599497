# SPDX-License-Identifier: GPL-2.0-or-later
# Latency by percentile on an axis that gives every further nine the same room. Columns: 1 / (1 - q), latency.
load plots.'/common.gp'
set rmargin 6
set logscale xy
set xlabel 'percentile'
set ylabel latency
set format y latency_tics
set xtics ('' 1, '50 %%' 2, '90 %%' 10, '99 %%' 100, '99.9 %%' 1e3, '99.99 %%' 1e4, '99.999 %%' 1e5, '99.9999 %%' 1e6)
do for [t in 'svg png'] {
	eval terminal(t)
	set output stem.'.'.t
	plot for [i = 0 : arms - 1] data index i using 1:($2 / per) with lines lt i + 1 title columnheader(1)
	unset output
}
