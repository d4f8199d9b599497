# SPDX-License-Identifier: GPL-2.0-or-later
# Change of every main figure with its interval, on an axis of ratios: half and double are equally
# far from no change. The band is the margin of equivalence.
# Columns: row, change, low, high (all in %), 1 for a gain, -1 for a loss, 0 for neither, label.
# Set by the caller: rows, margin.
height = 170 + 24 * rows
load plots.'/common.gp'
ratio(percent) = 1 + percent / 100.0
stats data using (log(ratio($3))) name 'low' nooutput
stats data using (log(ratio($4))) name 'high' nooutput
left = (low_min < -0.01 ? low_min : -0.01) - 0.05 * (high_max - low_min)
right = (high_max > 0.01 ? high_max : 0.01) + 0.05 * (high_max - low_min)
set logscale x
set xrange [exp(left):exp(right)]
set xlabel 'change' offset 0, 0.5
if (right - left < 0.12) {
	set xtics ('-5 %%' 0.95, '-4 %%' 0.96, '-3 %%' 0.97, '-2 %%' 0.98, '-1 %%' 0.99, '0' 1, '+1 %%' 1.01, '+2 %%' 1.02, '+3 %%' 1.03, '+4 %%' 1.04, '+5 %%' 1.05)
} else { if (right - left < 1.2) {
	set xtics ('-60 %%' 0.4, '-50 %%' 0.5, '-40 %%' 0.6, '-30 %%' 0.7, '-20 %%' 0.8, '-10 %%' 0.9, '0' 1, '+10 %%' 1.1, '+20 %%' 1.2, '+30 %%' 1.3, '+50 %%' 1.5, '+75 %%' 1.75, '+100 %%' 2, '+150 %%' 2.5)
} else { if (right - left < 5) {
	set xtics ('-96 %%' 0.04, '-90 %%' 0.1, '-75 %%' 0.25, '-50 %%' 0.5, '0' 1, 'x2' 2, 'x4' 4, 'x10' 10, 'x25' 25)
} else { if (right - left < 9) {
	set xtics ('-99 %%' 0.01, '-90 %%' 0.1, '-50 %%' 0.5, '0' 1, 'x2' 2, 'x4' 4, 'x10' 10, 'x30' 30, 'x100' 100)
} else {
	set xtics ('-99.9 %%' 0.001, '-99 %%' 0.01, '-90 %%' 0.1, '0' 1, 'x10' 10, 'x100' 100, 'x1000' 1000)
} } } }
unset ylabel
set yrange [rows + 0.5:0.5]
set grid noy
set key at graph 0.5, screen 14.0 / height center horizontal nobox
set bmargin 5
set ytics scale 0
set label 100 note at screen 0.99, screen 1 - 12.0 / height right
set object 1 rectangle from first 1 / (1 + margin / 100.0), graph 0 to first 1 + margin / 100.0, graph 1 fc rgb '#e6e6e6' fs solid noborder behind
set arrow 1 from first 1, graph 0 to first 1, graph 1 nohead lc rgb '#404040' lw 1 dt 1
do for [t in 'svg png'] {
	eval terminal(t)
	set output stem.'.'.t
	plot data using ($5 == 0 ? ratio($2) : 1/0):1:(ratio($3)):(ratio($4)):ytic(6) with xerrorbars lc rgb '#606060' lw 2 dt 1 pt 6 ps 0.9 title 'same or unclear', \
		data using ($5 > 0 ? ratio($2) : 1/0):1:(ratio($3)):(ratio($4)):ytic(6) with xerrorbars lc rgb '#0072B2' lw 2 dt 1 pt 7 ps 0.9 title 'better', \
		data using ($5 < 0 ? ratio($2) : 1/0):1:(ratio($3)):(ratio($4)):ytic(6) with xerrorbars lc rgb '#D55E00' lw 2 dt 1 pt 5 ps 0.9 title 'worse'
	unset output
}
