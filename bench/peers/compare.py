#!/usr/bin/env python3
"""hcl beside PyTorch, alternately, in one run; writes docs/performance.md's table and picture.

Started by run.sh. Each line of `bars` is one job: rounds of hcl, then its peers, medians of the rounds. Set-ups of
the peers: `tuned` is PyTorch with the machine's widest vectors, an allocator that keeps its blocks, and an OpenMP
BLAS; `best` has oneDNN's sgemm besides. A bar is held against the faster of the two. The results are appended to
--out, one line of JSON a job, and a job that is there already is not run again; --write puts all of them into the page.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

here = os.path.dirname(os.path.abspath(__file__))
ap = argparse.ArgumentParser()
ap.add_argument("--bench", required=True, help="folder of bench_loss and bench_maps")
ap.add_argument("--blas", required=True, help="folder of an OpenMP libblas.so.3")
ap.add_argument("--sgemm", required=True, help="library that forwards sgemm_ to oneDNN")
ap.add_argument("--out", required=True, help="results, a line of JSON a job")
ap.add_argument("--only", default="", help="jobs whose name contains this")
ap.add_argument("--rounds", type=int, default=3)
ap.add_argument("--seconds", type=float, default=0.6, help="of each timing")
ap.add_argument("--threads", type=int, default=2)
ap.add_argument("--write", help="the page to write")
a = ap.parse_args()


class Bar:
    """A job: hcl's row, the peers' job with (implementation, bar or None), rows, scalar."""
    def __init__(self, name, row, job, impls, n, d=128, dtype="float", backward=True, maps=False):
        self.__dict__.update(locals())


bars = [Bar(f"NT-Xent, ball, N = {n:,}", "NtXent/PoincareBall", "ntxent-ball",
            {"analytic": 3 if n == 8192 else 2.3, "autograd": None if n == 8192 else 5}, n) for n in (512, 1024, 4096, 8192)]
bars += [Bar(f"NT-Xent, ball, small batch, N = {n}", "NtXent/PoincareBall", "ntxent-ball", {"analytic": None}, n) for n in (256,)]
bars += [Bar(f"NT-Xent, sphere, N = {n:,}", "NtXent/Sphere", "ntxent-sphere", {"analytic": 1.8}, n) for n in (512, 1024, 4096, 8192)]
bars += [Bar("NT-Xent, Lorentz, N = 4,096", "NtXent/Lorentz", "ntxent-lorentz", {"autograd": 4}, 4096),
         Bar("SupCon, ball, N = 4,096", "SupCon/PoincareBall", "supcon-ball", {"autograd": 6}, 4096),
         Bar("NT-Xent, ball, double, N = 4,096", "NtXent/PoincareBall", "ntxent-ball", {"analytic": 2.3}, 4096, dtype="double"),
         Bar("distance matrix, ball, 4,096^2, forward", "Distances/PoincareBall", "distances-ball", {"autograd": 3}, 4096, backward=False),
         Bar("distance matrix, ball, 4,096^2, forward + backward", "DistancesGrad/PoincareBall", "distances-ball", {"autograd": 4}, 4096)]
if "GEOOPT_DIR" in os.environ:
    bars.append(Bar("NT-Xent, ball, geoopt, N = 1,024", "NtXent/PoincareBall", "ntxent-ball", {"geoopt": 250}, 1024))
bars += [Bar(f"{m} by rows, 65,536 x 128", f"{m}/PoincareBall", m, {"autograd": 5}, 65536, maps=True)
         for m in ("expmap0", "clip", "logmap0", "mobius_add", "expmap", "dist")]

threads = {"OMP_NUM_THREADS": str(a.threads), "OPENBLAS_NUM_THREADS": str(a.threads)}
tuned = dict(os.environ, **threads, LD_LIBRARY_PATH=a.blas,
             GLIBC_TUNABLES="glibc.malloc.mmap_threshold=17179869184:"
                            "glibc.malloc.trim_threshold=17179869184:glibc.malloc.hugetlb=1")
if "avx512f" in open("/proc/cpuinfo").read():
    tuned["ATEN_CPU_CAPABILITY"] = "avx512"
setups = {"tuned": tuned, "best": dict(tuned, LD_PRELOAD=a.sgemm)}
workers = {}


def peer(setup, spec):
    if spec["impl"] == "geoopt" and setup in workers:  # it takes all the memory there is
        workers.pop(setup).kill()
    if setup not in workers:
        workers[setup] = subprocess.Popen(["/usr/bin/python3", os.path.join(here, "torch_peer.py")], env=setups[setup],
                                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    w = workers[setup]
    w.stdin.write(json.dumps(spec) + "\n")
    line = w.stdout.readline()
    if not line:
        sys.exit(f"PyTorch, {setup}: no answer to {spec}")
    return json.loads(line)["ms"]


def hcl(bar):
    program = os.path.join(a.bench, "bench_maps" if bar.maps else "bench_loss")
    # As the peers: the median of single steps, or of some together where they are short.
    done = subprocess.run([program, f"--benchmark_filter=^{bar.row}/{bar.dtype}/{bar.n}/{bar.d}/", "--benchmark_format=json",
                           "--benchmark_repetitions=9", "--benchmark_report_aggregates_only=true",
                           f"--benchmark_min_time={a.seconds / 9}"], env=dict(os.environ, **threads),
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    if done.returncode:
        sys.exit(f"{program}: {bar.row} failed")
    return next(r for r in json.loads(done.stdout)["benchmarks"] if r["aggregate_name"] == "median")


def measure(bar):
    rows, peers = [], {}
    for _ in range(a.rounds):
        rows.append(hcl(bar))
        for impl in bar.impls:
            for setup in setups if bar.dtype == "float" and impl != "geoopt" else ["tuned"]:
                spec = {"job": bar.job, "impl": impl, "n": bar.n, "d": bar.d, "dtype": bar.dtype,
                        "seconds": a.seconds, "backward": bar.backward}
                peers.setdefault((impl, setup), []).append(peer(setup, spec))
    ms = sorted(rows, key=lambda r: r["real_time"])[len(rows) // 2]
    best = {}
    for (impl, setup), v in peers.items():
        m = statistics.median(v)
        if impl not in best or m < best[impl][0]:
            best[impl] = (m, setup)
    extra = {k: ms[k] for k in ("of peak", "peak GFLOP/s", "limit ms", "extra MB") if k in ms}
    if "limit ms" in extra:  # each round against the rate of its own copy
        extra["times limit"] = statistics.median(r["real_time"] / r["limit ms"] for r in rows)
    if "of peak" in extra:
        extra["times limit"] = statistics.median(1 / r["of peak"] for r in rows)
    return {"name": bar.name, "hcl": ms["real_time"], "peers": best, "bars": bar.impls, "rounds": a.rounds,
            "n": bar.n, "row": bar.row, **extra}


if not any(a.only in bar.name for bar in bars):
    sys.exit(f"no job's name contains '{a.only}': " + ", ".join(bar.name for bar in bars))
done = {}
if os.path.exists(a.out):
    done = {r["name"]: r for r in map(json.loads, open(a.out))}
for bar in bars:
    if a.only and a.only not in bar.name or bar.name in done or a.write:
        continue
    done[bar.name] = r = measure(bar)
    with open(a.out, "a") as f:
        f.write(json.dumps(r) + "\n")
    ratios = ", ".join(f"{i} ({s}) {m:.2f} ms = {m / r['hcl']:.2f} x" for i, (m, s) in r["peers"].items())
    print(f"{r['name']}: hcl {r['hcl']:.2f} ms, {r.get('times limit', 0):.2f} x limit; {ratios}", flush=True)
for w in workers.values():
    w.stdin.close()

if a.write:
    text = ["| job | hcl, ms | × limit | peer (set-up) | peer, ms | peer / hcl | bar |", "|---|---|---|---|---|---|---|"]
    for bar in bars:
        r = done.get(bar.name)
        for impl, (m, setup) in (r["peers"].items() if r else ()):
            goal = r["bars"][impl]
            ratio = m / r["hcl"]
            verdict = "–" if goal is None else f"{goal:g}, {'met' if ratio >= goal else 'missed'}"
            text.append(f"| {r['name']} | {r['hcl']:.2f} | {r['times limit']:.2f} | {impl} ({setup}) | {m:.2f} | {ratio:.2f} | {verdict} |")
    page = open(a.write).read()
    begin, end = "<!-- table -->\n", "<!-- end of table -->"
    head, tail = page[:page.index(begin) + len(begin)], page[page.index(end):]
    open(a.write, "w").write(head + "\n".join(text) + "\n" + tail)
    lines = [done[b.name] for b in bars if b.row == "NtXent/PoincareBall" and b.dtype == "float" and "analytic" in b.impls and b.name in done]
    lines.sort(key=lambda r: r["n"])
    data = "".join(f"{r['n']} {r['hcl']} {r['peers']['analytic'][0]} {r['peers'].get('autograd', ['NaN'])[0]}\n" for r in lines)
    picture = os.path.splitext(a.write)[0] + ".svg"
    plot = (f"set terminal svg size 640,400; set output '{picture}'; set logscale xy 2; set key left top;"
            "set xlabel 'rows'; set ylabel 'ms, forward + backward'; set grid;"
            "plot 'peers.dat' u 1:2 w lp t 'hcl', '' u 1:3 w lp t 'PyTorch, analytic', '' u 1:4 w lp t 'PyTorch, autograd'")
    work = os.path.dirname(os.path.abspath(a.out))
    open(os.path.join(work, "peers.dat"), "w").write(data)
    subprocess.run(["gnuplot", "-e", plot.replace("'peers.dat'", f"'{os.path.join(work, 'peers.dat')}'")], check=True)
