# SPDX-License-Identifier: GPL-2.0-or-later
# Change of every main figure with its interval; the band is the margin of equivalence.
# Columns: row, change, low, high (all in %), 1 for a gain, -1 for a loss, 0 for neither, label.
# Set by the caller: rows, margin.
height = 170 + 24 * rows
load plots.'/common.gp'
set xlabel 'change (%)'
unset ylabel
set yrange [rows + 0.5:0.5]
set xzeroaxis
set grid noy
set key at graph 0.5, screen 0.03 center horizontal nobox
set bmargin 5
set ytics scale 0
set label 100 note at screen 0.99, screen 0.985 right
set object 1 rectangle from first -margin, graph 0 to first margin, graph 1 fc rgb '#e6e6e6' fs solid noborder behind
set arrow 1 from first 0, graph 0 to first 0, graph 1 nohead lc rgb '#404040' lw 1 dt 1
do for [t in 'svg png'] {
	eval terminal(t)
	set output stem.'.'.t
	plot data using ($5 == 0 ? $2 : 1/0):1:3:4:ytic(6) with xerrorbars lc rgb '#606060' lw 2 dt 1 pt 6 ps 0.9 title 'same or unclear', \
		data using ($5 > 0 ? $2 : 1/0):1:3:4:ytic(6) with xerrorbars lc rgb '#0072B2' lw 2 dt 1 pt 7 ps 0.9 title 'better', \
		data using ($5 < 0 ? $2 : 1/0):1:3:4:ytic(6) with xerrorbars lc rgb '#D55E00' lw 2 dt 1 pt 5 ps 0.9 title 'worse'
	unset output
}
