#!/bin/sh
# Seeds faults into the headers, one at a time, and says which the tests notice:
#   sh tests/mutants.sh [NUMBER]...      all, or these
# A fault is killed when a test of its list fails that passes without it. Ends with 1 if fewer
# than 95 % are, and if a fault does not apply to its header any more.
set -eu
cd "$(dirname "$0")/.."
. cmake/setup.sh
setup build tests

# number | header below include/hcl | what is broken | sed expression | tests, below tests/
faults() {
  cat <<'EOF'
1|manifold/chord.hpp|arcosh in place of arsinh on lanes|s#vlog1p((w + m) + (w + m))#vlog1p(w + vsqrt(w * (w + one + one)))#|manifold/test_agree manifold/test_laws
2|manifold/chord.hpp|a lost factor 2|s#return {W(S(2) \* r \* f)#return {W(r * f)#|manifold/test_laws manifold/test_agree
3|manifold/sphere.hpp|a lost root of c|s#return T(Pair(x, y).angle / sqrt(S(c_)));#return T(Pair(x, y).angle);#|manifold/test_laws
4|pairwise/gram_chords.hpp|the re-evaluation dropped|s#^      chords_of_rows(t, q, list, thread);##|pairwise/test_distance_matrix
5|manifold/poincare_ball.hpp|a wrong sign in expmap|s#S(2) \* c \* xu#S(-2) * c * xu#|manifold/test_laws
6|core/coordinates.hpp|the tail of a sum missing|s#for (std::size_t l = 0; k < n; ++k, ++l) add(s\[l\], k);##|manifold/test_laws
7|loss/softmax_contrast.hpp|the diagonal not masked|s#if (t.diagonal) l\[i\] = masked_logit<T>;##|loss/test_losses
8|pairwise/gram_tiles.hpp|threads share a tile: a race|s#values_ + thread \* tile_area#values_#|pairwise/test_distance_matrix loss/test_engine
9|manifold/poincare_ball.hpp|conformal factor not squared|s#detail::scale<T>(h \* h, g, out)#detail::scale<T>(h, g, out)#|manifold/test_laws
10|manifold/lorentz.hpp|inverse metric without c|s#W(c_) \* dot<T>(x, g), x, out#dot<T>(x, g), x, out#|manifold/test_laws
11|manifold/poincare_ball.hpp|a wrong sign in the transport|s#const W b_coef = c \* (p.a \* dv#const W b_coef = -c * (p.a * dv#;s#b_coef = c \* (#b_coef = -c * (#|manifold/test_laws
12|manifold/lorentz.hpp|radius clipped in expmap0|s#return s < end ? sinhc(s)#return s < W(3) ? sinhc(s)#|manifold/test_laws properties/test_metric
13|manifold/concept.hpp|lanes trusted too long|s#gram_theta<float> = 1.0f / 4#gram_theta<float> = 1.0f / 4096#|pairwise/test_distance_matrix
14|manifold/poincare_ball.hpp|points on the rim|s#const W limit = W(1) - W(8) \* eps#const W limit = W(1) + W(8) * eps#|manifold/test_laws properties/test_metric
15|manifold/lorentz.hpp|differences trusted for radial neighbours|s#return q - V(T(1.0 / (1 << 26))) \* vmax(gap, V(T(0)) - gap);#return V(T(1));#|pairwise/test_distance_matrix
16|core/diff2.hpp|the tail of a difference tile missing|s#if (k + l < depth) add(k + l, l);##|pairwise/test_distance_matrix
17|core/gemm.hpp|the last chunk of a product missing|s#k < to; k += chunk) {#k + chunk <= to; k += chunk) {#|pairwise/test_distance_matrix
18|loss/contrast_side.hpp|row j forgotten as an anchor|s#V(share + share_j)#share#|loss/test_losses
19|loss/softmax_contrast.hpp|sign of the gradient by temperature|s#T(-sums.by_l / double(tau_))#T(sums.by_l / double(tau_))#|loss/test_losses
20|pairwise/gram_tiles.hpp|diagonal pairs twice in the gradient by c|s#by_l /= 2, by_c /= 2;#by_l /= 2;#|loss/test_losses
21|manifold/head.hpp|the clip backward without its projection|s#const W k = outside ? W(vg / n) : W(0);#const W k = W(0);#|manifold/test_gradients loss/test_pipeline
22|manifold/head.hpp|normalisation backward without its length|s#s = W(1) / detail::root(n), k = dot<T>(v, g) / n;#s = W(1), k = dot<T>(v, g) / n;#|manifold/test_gradients
23|manifold/sphere.hpp|antipodes in the wrong half|s#return vselect(q > V(T(0.5))#return vselect(q > V(T(5))#|pairwise/test_distance_matrix
24|manifold/lorentz.hpp|gradients rounded blindly|s#+ lost / W(x\[at\])##|properties/test_metric properties/test_digits
25|core/double_double.hpp|products without their error|s#return DoubleDouble(p, std::fma(a, b, -p));#return DoubleDouble(p, 0.0);#|properties/test_metric properties/test_digits
26|core/double_double.hpp|a product that does not commute|s#p.lo + (u + v)#p.lo + 3 * u - v#|properties/test_metric properties/test_digits
27|manifold/chord.hpp|differences drowned by the longer vector|s#shorter_x{gap < S(0)}#shorter_x{gap > S(0)}#;s#shorter_x ? a : b) / m}#shorter_x ? a : b) / m}#|properties/test_metric
28|manifold/chord.hpp|no case for coincident points|s#if (q <= S(0)) return {W(0), W(0), W(0)};##|manifold/test_corners
29|manifold/poincare_ball.hpp|rows on the rim accepted|s#expect(cn < (#expect(cn < 2 + (#|manifold/test_reject loss/test_losses pairwise/test_distance_matrix
30|manifold/chord.hpp|NaN rows accepted|s#expect(is_finite(n), where#expect(true, where#;s#expect(is_finite(static_cast<T>(n)), where#expect(true, where#|manifold/test_reject
31|core/math.hpp|a slope cancels near 0|s#if (y < T(0.25))#if (y < T(0))#|core/test_math
32|loss/softmax_contrast.hpp|columns not reduced|s#if (!t.diagonal \&\& y_.anchors) reduce_columns#if (false) reduce_columns#|loss/test_losses
33|manifold/chord.hpp|a lost half in the gradient by c|s#gc = T(W(gc) + k \* n / W(2));#gc = T(W(gc) + k * n);#|manifold/test_gradients
34|pairwise/schedule.hpp|two pairs of a round share a block|s#(r - p + circle) % circle#(r - p + circle + 1) % circle#|pairwise/test_schedule
35|pairwise/row_gradients.hpp|row corrections lost in dense tiles|s#corr_x\[i\] += vsum(D(u \* k.dna));##|pairwise/test_distance_matrix
36|manifold/lorentz.hpp|time lost from dd/dc|s#gc = T(W(gc) + g \* f.by_c - k / W(4) \* (dt / (c \* W(p.tx))) \* (dt / (c \* W(p.ty))));#gc = T(W(gc) + g * f.by_c);#|manifold/test_gradients
37|attack/step.hpp|ascent becomes descent|s#y\[k\] += step \* T(#y[k] -= step * T(#|attack/test_attack
38|manifold/batch.hpp|the last row of a block skipped|s#for (Index i = first; i < last; ++i) {#for (Index i = first; i + 1 < last; ++i) {#|manifold/test_batch
39|similarity/neg_dist.hpp|the sign of a similarity|s#return -metric().dist(x, y);#return metric().dist(x, y);#|loss/test_losses
40|manifold/models.hpp|a factor of the chart of the ball|s#radial_chart(V(V(2) / x.gap()), x.l)#radial_chart(V(V(1) / x.gap()), x.l)#|manifold/test_models manifold/test_laws
41|manifold/gyro.hpp|a wrong sign in the gyration|s#-k \* (c \* tv \* nx + xv)}#k * (c * tv * nx + xv)}#|manifold/test_gyro
42|manifold/gyro.hpp|Moebius sums of doubles in doubles|s#a = ball.gap(nx), b = ball.gap(ny);#a = S(W(1) - W(c) * norm2<T>(x)), b = ball.gap(ny);#|manifold/test_gyro
43|manifold/maps_vjp.hpp|the step of expmap forgets its own length|s#q.d\[k\] = nx.d\[k\] + s.v \* (s.v \* nv.d\[k\] + S(2) \* xv.d\[k\]) + S(2) \* q_s \* s.d\[k\];#q.d[k] = nx.d[k] + s.v * (s.v * nv.d[k] + S(2) * xv.d[k]);#|manifold/test_maps_vjp
44|manifold/maps_vjp.hpp|c lost from the backward of a transport|s#+ by_p \* p_c + by_q#+ by_q#|manifold/test_maps_vjp
45|manifold/metric_vjp.hpp|a lost half by c|s#slope \* n / W(2)#slope * n#|manifold/test_metric_vjp
46|manifold/midpoint.hpp|heights without their weights|s#height += wi \* l.t#height += l.t#|manifold/test_midpoint
47|manifold/midpoint.hpp|sums of midpoints in doubles|s#std::conditional_t<std::is_floating_point_v<T>, DoubleDouble, T>#Wide<T>#|manifold/test_midpoint
48|manifold/klein.hpp|the radial part of a chord lost|s#+ quarter \* c \* step \* step;#;#|manifold/test_models
49|manifold/half_space.hpp|the height forgotten in a gradient|s#(u - k \* q / hx)#u#|manifold/test_models
50|manifold/models.hpp|times cancel towards the pole|s#lv > W(0) ? W(e0 / (value_of(t) + lv)) : W(value_of(t) - lv)#value_of(t) - lv#|manifold/test_models
51|manifold/transport0.hpp|the factor of the way back|s#kept = along / q;#kept = along;#|manifold/test_geodesic
52|manifold/geodesic.hpp|ends exchanged|s#return {hyperbolic_weight(S(S(1) - t), z), hyperbolic_weight(t, z)};#return {hyperbolic_weight(t, z), hyperbolic_weight(S(S(1) - t), z)};#|manifold/test_geodesic
53|manifold/lorentz.hpp|steps leave the manifold|s#most = W(detail::largest_norm2<T>());#most = W(std::numeric_limits<W>::max());#|properties/test_metric
54|pairwise/row_sums.hpp|the centre lost from the gradient|s#+ by_m \* double(m\[d\])##|loss/test_losses
55|pairwise/row_sums.hpp|the pull of a row on itself lost|s#: by_m - h;#: by_m;#|loss/test_losses
56|manifold/lorentz.hpp|times lost from the Gram matrix|s#vfma(V(T(0.5)), V(a\[2\] \* b\[2\]), #vfma(V(T(0)), V(a[2] * b[2]), #|loss/test_losses
57|similarity/weighted_sum.hpp|derivatives of two kinds added|s#k.dna = k.dna + half, k.dnb = k.dnb + half;##|loss/test_losses
58|manifold/sphere.hpp|lengths lost from the gradient|s#whole + gap \* b\[4\]#whole#|manifold/test_laws
59|pairwise/gram_rows.hpp|columns centred, rows not|s#scratch\[i \* d + k\] = x(i, k) - centre_\[k\]#scratch[i * d + k] = x(i, k)#|loss/test_losses
60|manifold/midpoint.hpp|derivatives lost with the last digit|s#if (n.v + n.v < least)#if (n.v < least)#|manifold/test_midpoint
61|manifold/poincare_ball.hpp|the gap of transports in double|s#return W(gap(detail::dot_sum<T>(x, x)));#return W(1) - W(c_) * norm2<T>(x);#|manifold/test_geodesic
62|manifold/lorentz.hpp|a far row's pull to a near one|s#return b\[7\] \* a\[4\];#return V(T(1));#|manifold/test_laws pairwise/test_distance_matrix
63|core/coordinates.hpp|the tail of an update missing|s#for (; k < n; ++k) f(Coordinates<Wide<T>>{k});##|manifold/test_maps_vjp
64|core/coordinates.hpp|an update overwrites what it adds to|s#put(out, V((\*this)(out) + v));#put(out, v);#|manifold/test_maps_vjp manifold/test_gradients
65|core/coordinates.hpp|the tail of a checked row unseen|s#rest += v \* v;#rest += T(v == v ? 0 : 0);#|manifold/test_reject
66|pairwise/row_sums.hpp|what is along a row left as it is|s#if (!s.trusts_radial(n)) return;#return;#|pairwise/test_distance_matrix
67|pairwise/gram_chords.hpp|close pairs left to the products|s#> T(0))) return true#> T(0))) continue#|pairwise/test_distance_matrix
68|pairwise/row_sums.hpp|rows near the origin split about a far mean|s#return diff2_sum<T>(x, m) <= dot_sum<T>(x, x);#return x.data() != m.data();#|pairwise/test_distance_matrix
69|pairwise/row_gradients.hpp|what close pairs add along a row forgotten|s#to.x\[t.i0 + i\].radial += h \* r.x\[l\];##|pairwise/test_distance_matrix
70|pairwise/row_sums.hpp|what a gradient had along a row forgotten|s#= -double(detail::dot_sum#= 0 * double(detail::dot_sum#|pairwise/test_distance_matrix
71|pairwise/gram_tiles.hpp|what columns add along a row forgotten|s#row_y_\[t.j0 + j\].radial += double(column.radial\[j\]);#;#|pairwise/test_distance_matrix
72|core/simd.hpp|a logarithm's exponent off for some|s#root_half = 0x3f3504f3#root_half = 0x3f4504f3#|core/test_exp_log
73|core/exp_log.hpp|exponentials that do not vanish|s#exp_least = T(sizeof(T) == sizeof(float) ? -86.64#exp_least = T(sizeof(T) == sizeof(float) ? -186#|core/test_exp_log
74|manifold/chord.hpp|a term lost under a root on lanes|s#vsqrt(vfma(w, w, w))#vsqrt(w)#|manifold/test_agree manifold/test_laws
75|loss/contrast_side.hpp|row j forgotten as an anchor of its own top|s#V(share \* below(l, top) + share_j \* below(l, top_j))#V(share * below(l, top))#|loss/test_losses
76|manifold/sphere.hpp|the half of opposite rows lost|s#vmin(V(q - V(T(1))), V(T(-opposite)))#V(q - V(T(1)))#|pairwise/test_hard_pairs
77|pairwise/gram_chords.hpp|values of pairs whose squares underflow|s#if (is_beyond(t, q, list.at\[f\]))#if (false)#|pairwise/test_hard_pairs
78|pairwise/row_gradients.hpp|gradients of nearly opposite rows from numbers|s#beyond = pairs_.is_beyond(t, q, at)#beyond = false#|pairwise/test_hard_pairs
79|manifold/concept.hpp|lanes of doubles trusted too long|s#gram_theta = T(1.0 / 64)#gram_theta = T(1.0 / (1 << 20))#|pairwise/test_hard_pairs
80|pairwise/gram_rows.hpp|tiny rows not noticed|s#norms.from_centre < double#norms.from_centre < 0 * double#|pairwise/test_hard_pairs
81|pairwise/gram_tiles.hpp|lengths lost from the gradient of directions|s#rows.scales()\[i\] \* double(by_unit#double(by_unit#|pairwise/test_hard_pairs
82|core/double_double.hpp|a hyperbolic tangent in one double|s#return f\[0\] / f\[1\];#return DoubleDouble(std::tanh(a.hi));#|manifold/test_maps_far
83|manifold/metric_vjp.hpp|what rounding takes along a row|s#detail::add_covector<T>(x, lu.length, to, e);#for (std::size_t i = 0; i < x.size(); ++i) to[i] = T(S(to[i]) + e(i));#|manifold/test_maps_far
84|pairwise/gram_chords.hpp|a pair with two chords|s#for (Index j = 0; j < i; ++j) q\[i \* tile_size + j\] = q\[j \* tile_size + i\];##|loss/test_sizes
85|manifold/sphere.hpp|transport towards antipodes by differences|s#const bool close = p.diff < p.sum;#const bool close = true;#|manifold/test_corners
86|manifold/maps_vjp.hpp|the backward of a reflection by one factor only|s#return -k \* (eg \* (S(v\[i\]) - ev \* e(i)) +#return -k * (#|manifold/test_maps_vjp
EOF
}

cxx=${CXX:-c++}
flags="-std=c++20 -O1 -march=native -fopenmp -DHCL_WITH_XSIMD=1 -DHCL_SHORT=1 -w
  -isystem /usr/include/eigen3 -DDOCTEST_CONFIG_IMPLEMENT_WITH_MAIN"
work=build/mutants
mkdir -p "$work"

# Runs test $1 against the headers in $2; prints killed, alive, broken (does not compile) or slow.
try() {
  program=$work/$(printf '%s' "$1" | tr / -)
  # shellcheck disable=SC2086  # words
  "$cxx" $flags -I "$2" -I tests "tests/$1.cpp" -o "$program" 2>"$work/log" ||
    { echo broken; return; }
  code=0
  OMP_NUM_THREADS=2 timeout 300 "$program" >"$work/log" 2>&1 || code=$?
  case $code in 0) echo alive ;; 124) echo slow ;; *) echo killed ;; esac
  rm -f "$program"
}

# Whether test $1 passes with the headers as they are, tried once.
passes() {
  case " $passed " in *" $1 "*) return ;; esac
  [ "$(try "$1" include)" = alive ] || { echo "tests/$1.cpp fails without a fault" >&2; exit 1; }
  passed="$passed $1"
}

faults >"$work/list"
total=0 killed=0 stale=0 passed=
while IFS='|' read -r number header what edit tests <&3; do
  case $#:" $* " in 0:*|*" $number "*) ;; *) continue ;; esac
  total=$((total + 1))
  rm -rf "$work/include"
  cp -r include "$work/include"
  sed "$edit" "include/hcl/$header" >"$work/include/hcl/$header"
  if cmp -s "include/hcl/$header" "$work/include/hcl/$header"; then
    echo "$number: $what: no such text in $header"
    stale=$((stale + 1))
    continue
  fi
  verdict=alive by=
  for test in $tests; do
    passes "$test"
    verdict=$(try "$test" "$work/include")
    by=$test
    case $verdict in alive | slow) ;; *) break ;; esac
  done
  [ "$verdict" = killed ] && killed=$((killed + 1))
  echo "$number: $what: $verdict, $by"
done 3<"$work/list"
echo "$killed of $total killed"
[ "$stale" = 0 ] && [ $((killed * 100)) -ge $((total * 95)) ]
