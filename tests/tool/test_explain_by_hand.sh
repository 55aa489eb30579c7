#!/usr/bin/env bash
# tests/tool/test_explain_by_hand.sh TOOL JSON_CHECK - `attend explain by-hand`: weights by sum beside weights by
# softmax, other queries, and queries that are sought. The figures are worked out by hand here.
set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/explain_tool.sh"

# Scores 2, 9, 9, 4: by sum out of 24; by softmax exp(-7), 1, 1, exp(-5) out of 2.00765.

by_hand() {
  explains by-hand && out_has '^  query of "the": \[2 3\]$' &&
    out_has '^  the +\[1 0\] +\[0 0\] +2 +0\.0833 .* 0\.0005$' &&
    out_has '^  cat +\[3 1\] +\[4 1\] +9 +0\.3750 █{6} +0\.4981 █{8}$' &&
    out_has '^  chases +\[0 3\] +\[2 2\] +9 +0\.3750 █{6} +0\.4981 █{8}$' &&
    out_has '^  the +\[2 0\] +\[0 0\] +4 +0\.1667 .* 0\.0034$' &&
    out_has '^  output by sum +\[2\.25 1\.125\]$' &&
    out_has '^  output by softmax +\[2\.9886 1\.4943\]$'
}

by_hand_query() {
  explains by-hand --query 1,3 && out_has 'query of "the": \[1 3\]$' &&
    out_has '^  cat .* 6   0\.3333 ' && out_has '^  chases .* 9   0\.5000 ' &&
    out_has '^  output by sum +\[2\.3333 1\.3333\]$' &&
    explains by-hand --query -1,0.5 && out_has 'Scores of both signs make weights by sum' &&
    explains by-hand --query -1,0 && out_has 'Scores below 0 turn the order round' &&
    out_has '^  chases .* 0   0\.0000 ' && out_has '^  cat .* -3   0\.5000 █{8} +0\.0321 ' &&
    explains by-hand --query 0,0 && out_has 'add up to 0' && out_has '^  output by sum +\[0 0\]$' &&
    refuses 2 '"1,2,3" has 3 numbers; .* have 2' by-hand --query 1,2,3 &&
    refuses 2 '"x" is not a number' by-hand --query x,1 &&
    refuses 2 '"" is not a number' by-hand --query 1, &&
    refuses 2 'lesson of one query' single-head --query 1,2
}

# Scores 1, 3 are weights 1/4, 3/4, and so are -2, -6; scores of 0, and 2 beside -2, add up to 0; the
# mask hides the second key from the fourth row, and everything from the last.
whole_problems_by_sum() {
  cat >"$scratch/sums.json" <<'JSON'
{"Q": [[1, 0], [-2, 0], [0, 0], [1, 0], [-1, 1], [1, 1]], "K": [[1, 3], [3, 1]], "V": [[8], [4]], "heads": 1,
 "scale": 1, "normalization": "sum", "mask": [[1, 1], [1, 1], [1, 1], [1, 0], [1, 1], [0, 0]]}
JSON
  explains "$scratch/sums.json" && out_has 'weights by sum$' && out_has '^Path naive$' &&
    matrix_is ' weights  A: each row of scores divided by its sum' '0.2500 0.7500 sum 1.0000' \
      '0.2500 0.7500 sum 1.0000' '0.0000 0.0000 sum 0.0000' '1.0000 0.0000 sum 1.0000' \
      '0.0000 0.0000 sum 0.0000' '0.0000 0.0000 sum 0.0000' &&
    matrix_is ' context  H:' 5 5 0 8 0 0
}

# Two heads that share V: scores 1, 3 and 3, 1. --head keeps one of them; the output is of both.
heads_and_layers_by_sum() {
  cat >"$scratch/heads.json" <<'JSON'
{"Q": [[1, 1]], "K": [[1, 3], [3, 1]], "V": [[8, 8], [4, 0]], "heads": 2, "kv_heads": 2, "scale": 1,
 "normalization": "sum", "W_o": [[1, 0], [1, 1]]}
JSON
  explains "$scratch/heads.json" --head 1 &&
    matrix_is ' weights  A_1:' '0.7500 0.2500 sum 1.0000' && ! grep -q 'A_0' "$out" &&
    matrix_is ' concat  H:' '5 | 6' && matrix_is ' output  Y' '11 6' || return
  cat >"$scratch/layer.json" <<'JSON'
{"X": [[1], [3]], "W_qkv": [[1, 1, 4]], "b_qkv": [0, 0, 1], "W_o": [[2]], "b_o": [1], "scale": 1,
 "normalization": "sum", "causal": true}
JSON
  explains "$scratch/layer.json" &&
    matrix_is ' weights  A:' '1.0000 0.0000 sum 1.0000' '0.2500 0.7500 sum 1.0000' &&
    matrix_is ' output  Y' 11 23
}

by_hand_rounded() {
  explains by-hand --round 1 && out_has 'rounded to 1 digits: \[2\.4 1\.2\]$' &&
    out_has 'rounded to 1 digits: \[3 1\.5\]$'
}

# The differences of cat's key to the others are (2,1), (3,-2), (1,1). The point of their hull
# nearest to 0 is (15,10)/13, so that the direction is (3,2), and s (3,2) gives 1 / (1 + 2 exp(-5 s) +
# exp(-8 s)), which is 0.9 at s = 0.5942.
seek_weight() {
  explains by-hand --seek cat=0.9 && out_has 'query of "the": \[1\.782[78] 1\.188[56]\]$' &&
    out_has '^  cat .* 0\.9000 ' && out_has 'by bisection, gives 0\.9\.' && out_has '^How the query was found$' &&
    out_has 'Direction \[0\.8321 0\.5547\]' && out_has '1\.387 for each unit' &&
    explains by-hand --seek the#3=0.6 --json &&
    json_has seek.reached=true seek.how traces.0.matrices.0.name
}

# Equal scores of (3,1) and (0,3) need a query along (2,3). Both together get 0.9 from s (2,3) where
# exp(-5 s) + exp(-7 s) = 2/9: s = 0.3778.
seek_split() {
  explains by-hand --seek cat~chases && out_has 'query of "the": \[0\.755[67][0-9]* 1\.133[56]\]$' &&
    out_has 'Direction \[0\.5547 0\.8321\]' && out_has '^  cat .* 0\.4500 ' && out_has '^  chases .* 0\.4500 '
}

# The differences of 0's key are (1,100), (1,-100), (0.01,3). The point of their hull nearest to 0 lies
# between the last two, at a right angle to (-0.99,103) and 4 / 103.005 away.
seek_among_long_keys() {
  printf '{"Q": [[1, 1]], "K": [[0, 0], [-1, -100], [-1, 100], [-0.01, -3]], "V": [[1], [2], [3], [4]], "scale": 1}' \
    >"$scratch/long.json"
  explains "$scratch/long.json" --seek 0=0.9 && out_has 'Direction \[1 0\.0096[01]*\]' &&
    out_has '0\.03883 for each' && out_has 'gives 0\.9\.$'
}

seek_refused() {
  refuses 2 '"the" is the label of more than one token; .*the#0 or the#3' by-hand --seek the=0.5 &&
    refuses 2 '"dog" is none of the tokens' by-hand --seek dog=0.5 &&
    refuses 2 '"1" is not a weight' by-hand --seek cat=1 &&
    refuses 2 '"cat" is no goal' by-hand --seek cat && refuses 2 'same token twice' by-hand --seek 'cat~cat' &&
    refuses 2 'both set the query' by-hand --seek cat=0.9 --query 1,2 &&
    refuses 2 'lesson of one query' causal --seek cat=0.9
}

# A key in the middle of the others can never have all of the weight: (0,0) among (1,0), (-1,1),
# (-1,-1). A key on a side of their hull comes close to an equal share with the two ends of that side, here
# (1,0) and (-1,0); a longer query comes closer.
seek_beyond_reach() {
  cat >"$scratch/middle.json" <<'JSON'
{"Q": [[1, 1]], "K": [[0, 0], [1, 0], [-1, 1], [-1, -1]], "V": [[1], [2], [3], [4]], "scale": 1,
 "tokens": ["middle", "east", "north", "south"]}
JSON
  explains "$scratch/middle.json" --seek middle=0.9 && out_has 'lies among the others' &&
    out_has 'No query reaches the weight' && explains "$scratch/middle.json" --seek middle=0.25 &&
    out_has 'query of "south": \[0 0\]$' &&
    explains "$scratch/middle.json" --seek east=0.99 --json && json_has seek.reached=true || return
  printf '{"Q": [[1, 1]], "K": [[0, 0], [1, 0], [-1, 0], [0, 1]], "V": [[1], [2], [3], [4]], "scale": 1}' \
    >"$scratch/side.json"
  explains "$scratch/side.json" --seek 0=0.9 && out_has 'lies among the others' &&
    out_has 'comes nearest, with 0\.3333\.$' && explains "$scratch/side.json" --seek 0=0.3 --json &&
    json_has seek.reached=true
}

check 'by-hand: scores, both weights, outputs, bars' by_hand
check 'by-hand: another query' by_hand_query
check 'weights by sum of whole problems' whole_problems_by_sum
check 'weights by sum of several heads, and of a layer' heads_and_layers_by_sum
check 'by-hand: rounded' by_hand_rounded
check 'a query for a weight is found' seek_weight
check 'a query for an equal split is found' seek_split
check 'a query among keys of unlike lengths is found' seek_among_long_keys
check 'goals that make no sense are refused' seek_refused
check 'a weight that no query reaches is said to be' seek_beyond_reach
finish
