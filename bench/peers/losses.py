#!/usr/bin/env python3
"""hcl's NT-Xent on the Poincare ball beside PyTorch's, alternately, in one run.

Started by run.sh, which sets up the peer. For each number of rows: rounds of hcl, then the peers in their two
set-ups, one process each; medians of the rounds and the ratio to hcl. Set-ups: `tuned` is PyTorch with AVX-512
dispatch, an allocator that keeps its blocks, and an OpenMP BLAS; `best` has oneDNN's sgemm besides.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

here = os.path.dirname(os.path.abspath(__file__))
ap = argparse.ArgumentParser()
ap.add_argument("--bench", required=True, help="the program bench_loss")
ap.add_argument("--blas", required=True, help="folder of an OpenMP libblas.so.3")
ap.add_argument("--sgemm", required=True, help="library that forwards sgemm_ to oneDNN")
ap.add_argument("--rows", type=int, nargs="+", default=[512, 1024, 4096, 8192])
ap.add_argument("--rounds", type=int, default=5)
ap.add_argument("--threads", type=int, default=2)
a = ap.parse_args()

tuned = dict(os.environ, OMP_NUM_THREADS=str(a.threads), OPENBLAS_NUM_THREADS=str(a.threads),
             ATEN_CPU_CAPABILITY="avx512", LD_LIBRARY_PATH=a.blas,
             GLIBC_TUNABLES="glibc.malloc.mmap_threshold=17179869184:"
                            "glibc.malloc.trim_threshold=17179869184:glibc.malloc.hugetlb=1")
best = dict(tuned, LD_PRELOAD=a.sgemm)


def run(command, env):
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def hcl(n):
    env = dict(os.environ, OMP_NUM_THREADS=str(a.threads))
    out = run([a.bench, f"--benchmark_filter=^NtXent/PoincareBall/float/{n}/128/", "--benchmark_format=json",
               "--benchmark_min_time=1.5"], env)
    return out["benchmarks"][0]["real_time"]


def peer(impl, env):
    return lambda n: run(["/usr/bin/python3", os.path.join(here, "torch_losses.py"), "--impl", impl, "--n", str(n),
                          "--threads", str(a.threads)], env)["ms"]


columns = {"hcl": hcl, "analytic, tuned": peer("analytic", tuned), "analytic, best": peer("analytic", best),
           "autograd, tuned": peer("autograd", tuned), "autograd, best": peer("autograd", best)}
print("| rows | " + " | ".join(columns) + " | strongest / hcl | autograd / hcl |")
print("|---" * (len(columns) + 3) + "|")
for n in a.rows:
    ms = {name: [] for name in columns}
    for _ in range(a.rounds):
        for name, f in columns.items():
            ms[name].append(f(n))
    m = {name: statistics.median(v) for name, v in ms.items()}
    ratio = [min(v for k, v in m.items() if k.startswith(p)) / m["hcl"] for p in ("analytic", "autograd")]
    print(f"| {n} | " + " | ".join(f"{v:.2f} ms" for v in m.values()) + " | " + " | ".join(f"{r:.2f}" for r in ratio) + " |",
          flush=True)
