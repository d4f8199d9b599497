# SPDX-License-Identifier: GPL-2.0-or-later
# What all pictures share. Set by the caller: stem (path without suffix), note (mode, printed in every
# picture), heading, arms, instructions (1: latencies are in these and not in ns). Colours of Okabe and
# Ito, told apart by the colour-blind; dashes and points differ as well, for print in grey.
set encoding utf8
set linetype 1 lc rgb '#0072B2' lw 2 dt 1 pt 7 ps 0.7
set linetype 2 lc rgb '#D55E00' lw 2 dt (12,4) pt 5 ps 0.7
set linetype 3 lc rgb '#009E73' lw 2 dt (4,3) pt 9 ps 0.8
set linetype 4 lc rgb '#CC79A7' lw 2 dt (12,3,3,3) pt 13 ps 0.8
set linetype cycle 4
set border 3 lc rgb '#404040'
set tics nomirror textcolor rgb '#000000'
set grid lt 1 dt 1 lw 0.5 lc rgb '#d0d0d0'
set key below center horizontal reverse Left samplen 4 nobox
set title heading
set rmargin 4
set label 100 note at graph 1, graph 1.03 right textcolor rgb '#000000'
if (!exists('height')) height = 480
data = stem.'.dat'
per = instructions ? 1 : 1e9
latency = instructions ? 'latency (instructions)' : 'latency'
latency_tics = instructions ? '%.0s%c' : '%.0s %cs'
terminal(t) = t eq 'svg' ? \
	sprintf("set terminal svg size 800,%d noenhanced font 'sans-serif,13' background '#ffffff'", height) : \
	sprintf("set terminal pngcairo size 800,%d noenhanced font 'DejaVu Sans,10' background '#ffffff'", height)
