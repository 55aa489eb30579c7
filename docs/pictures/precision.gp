# precision.gp - draws the errors of the precisions against the size of the scores.
#
#   gnuplot -d -c precision.gp precision.csv precision.svg
#
# The data are those of tests/unit/precision_curve; a name that ends in .png gives a PNG.
if (ARGC != 2) exit status 2 message "usage: gnuplot -d -c precision.gp DATA.csv PICTURE.svg"
data = ARG1
if (ARG2[strlen(ARG2) - 3:] eq '.png') {
  set terminal pngcairo noenhanced size 1100,560 font 'sans,10'
} else {
  set terminal svg noenhanced size 1100,560 font 'sans,12' background 'white'
}
set output ARG2

set datafile separator ','
set datafile columnheaders
set logscale xy 10
set xrange [0.08:1250]
set yrange [1e-8:4]
set format x '%g'
set format y '1e%T'
set grid back lc rgb '#dddddd' lt 1
set border 3
set tics nomirror
set mxtics 1
set mytics 1
set xlabel 'largest |score|'
set ylabel 'largest error of an output, values in [-1, 1]'
set key below horizontal maxcols 4 samplen 2 height 1

names = 'bf16 bf16x3 fp32 bf16x6'
colours = '#c94a8c #e69f00 #009e73 #56b4e9'
points = '7 9 5 11'
# Two bounds lie on each other: every second dash of the first is of the second.
dashes = '10 10 10 30'

# The size of the scores in lines of a head dimension; other lines are not drawn.
size(dim) = column('head_dim') == dim ? column('score') : NaN

set multiplot layout 1,2 title 'Largest errors against float64 (points) and derived bounds (dashed)'
do for [dim in '64 128'] {
  set title sprintf('D = %s', dim)
  plot for [k = 1:4] data using (size(dim)):word(names, k).'_bound' \
         with lines lw 1 dt (10, int(word(dashes, k))) lc rgb word(colours, k) \
         notitle, \
       for [k = 1:4] data using (size(dim)):word(names, k).'_error' \
         with linespoints lw 2 pt int(word(points, k)) ps 0.6 lc rgb word(colours, k) \
         title word(names, k)
}
unset multiplot
unset output
