#!/usr/bin/env python3
"""bench_conv beside oneDNN and bench_train beside PyTorch, alternated in one run; prints tables.

  sh bench/peers/cnn.sh [--rounds 3] [--what conv train infer] [--nets Tiny ResNet9 ResNet18 Airbench]

Every number is the median over the rounds of the medians of a round; a ratio is the peer's time over
ours, so above 1 ours is faster. The peer of a row is its fastest variant.
"""
import argparse
import csv
import io
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
WORK = ROOT / "build/peers"
TUNED = {"GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=17179869184:"
                           "glibc.malloc.trim_threshold=17179869184:glibc.malloc.hugetlb=1"}


def run(command, threads, env=None):
    env = {**os.environ, "OMP_NUM_THREADS": str(threads), **(env or {})}
    done = subprocess.run([str(c) for c in command], env=env, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{command[0]} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def bench(program, threads, pattern):
    """{row: (ms, peak MB or None)} of a Google Benchmark program."""
    out = run([ROOT / "build/release/bench" / program, f"--benchmark_filter={pattern}",
               "--benchmark_min_time=0.4", "--benchmark_format=json"], threads)
    rows = json.loads(out[out.index("{"):])["benchmarks"]
    return {r["name"]: (r["real_time"], r.get("peak MB")) for r in rows}


def add(times, row, who, ms):
    times.setdefault(row, {}).setdefault(who, []).append(ms)


def table(title, times):
    print(f"\n| {title} | hcl, ms | fastest peer, ms | ratio | all peers, ms |\n|---|---|---|---|---|")
    for row, by in times.items():
        med = {who: statistics.median(ms) for who, ms in by.items()}
        ours = med.pop("hcl")
        best = min(med, key=med.get)
        rest = ", ".join(f"{who} {ms:.1f}" for who, ms in sorted(med.items()))
        print(f"| {row} | {ours:.1f} | {med[best]:.1f} ({best}) | {med[best] / ours:.2f} | {rest} |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--what", nargs="+", default=["conv", "train", "infer"])
    parser.add_argument("--nets", nargs="+", default=["Tiny", "ResNet9", "ResNet18", "Airbench"])
    args = parser.parse_args()
    conv, nets, memory = {}, {}, {}
    jobs = [j for j in ("train", "infer") if j in args.what]
    for _ in range(args.rounds):
        if "conv" in args.what:
            for name, (ms, _) in bench("bench_conv", args.threads, "^conv3x3/").items():
                add(conv, "/".join(name.split("/")[1:3]), "hcl", ms)
            for algorithm, row, ms in csv.reader(io.StringIO(
                    run([WORK / "conv_dnnl"], args.threads))):
                add(conv, row, algorithm, float(ms))
        for net in args.nets if jobs else []:
            for job in jobs:  # a process each, so that the peak of memory is its own
                for _, (ms, mb) in bench("bench_train", args.threads, f"^{job}/{net}/").items():
                    add(nets, f"{job}/{net}", "hcl", ms)
                    memory.setdefault(f"{job}/{net}", {})["hcl"] = mb
                for row, form, ms, mb in csv.reader(io.StringIO(
                        run(["/usr/bin/python3", HERE / "torch_cnn.py", "--nets", net, "--jobs", job,
                             "--threads", args.threads], args.threads, TUNED))):
                    add(nets, row, form, float(ms))
                    memory.setdefault(row, {}).setdefault("torch", float(mb))
    if conv:
        table("3 x 3 convolution, batch 128, against oneDNN", conv)
    if nets:
        table("batch 128, Airbench 1,024, against PyTorch", nets)
        print("\n| peak MB of the process | hcl | PyTorch, its first format |\n|---|---|---|")
        for row, mb in memory.items():
            print(f"| {row} | {mb['hcl']:.0f} | {mb['torch']:.0f} |")


if __name__ == "__main__":
    main()
