#!/usr/bin/env python3
"""The jobs of bench_loss and bench_maps in PyTorch, timed in this process.

Reads one job a line from standard input, {"job", "impl", "n", "d", "dtype", "seconds"}, and answers each with
{"ms": median of forward + backward}. Started by compare.py, which sets what has to be in place before PyTorch
loads. With --check it compares the implementations of each job in double and stops.

Implementations, strongest first:
  analytic  backward derived by hand, in-place tensor operations, one matrix product each way
  autograd  the efficient formula (one matrix product, log1p in place of acosh), PyTorch's backward; for maps the
            formula with its row numbers first, so that few passes over the arrays remain
  geoopt    as its users call it: distances of broadcast rows (a checkout's folder in GEOOPT_DIR)

The setting is bench_loss's: two views at cosine 0.9, lengths 1.5 to 3 clipped at 2.3, expmap0, c = 0.1,
temperature 0.2, on the unit ball at temperature 0.2 sqrt(c), which is the same problem.
"""
import json
import math
import os
import statistics
import sys
import time

import torch
import torch.nn.functional as F

C, CLIP, TAU = 0.1, 2.3, 0.2
THREADS = int(os.environ.get("OMP_NUM_THREADS", "2"))
torch.set_num_threads(THREADS)


def features(n, d):
    g = torch.Generator().manual_seed(1)
    u = F.normalize(torch.randn(n // 2, d, dtype=torch.float64, generator=g), dim=1)
    w = torch.randn(n // 2, d, dtype=torch.float64, generator=g)
    w = F.normalize(w - (w * u).sum(1, keepdim=True) * u, dim=1)
    r = 1.5 + 1.5 * torch.rand(n, 1, dtype=torch.float64, generator=g)
    return torch.cat([u, 0.9 * u + math.sqrt(1 - 0.81) * w]), r


def ball_points(n, d):
    v, r = features(n, d)
    return torch.tanh(math.sqrt(C) * r.clamp(max=CLIP)) * v


def lorentz_points(n, d):  # time first, curvature -1
    v, r = features(n, d)
    s = math.sqrt(C) * r.clamp(max=CLIP)
    return torch.cat([torch.cosh(s), torch.sinh(s) * v], 1)


def rows(n, d, low, high, seed):
    g = torch.Generator().manual_seed(seed)
    v = F.normalize(torch.randn(n, d, dtype=torch.float64, generator=g), dim=1)
    return (low + (high - low) * torch.rand(n, 1, dtype=torch.float64, generator=g)) * v


def partner(n):
    return (torch.arange(n) + n // 2) % n


class BallAnalytic(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, tau):
        n, x2 = x.shape[0], (x * x).sum(1)
        a = 1 / (1 - x2)
        u = (x @ x.t()).mul_(-2).add_(x2[:, None]).add_(x2[None, :]).clamp_(min=0)
        u.mul_((2 * a)[:, None]).mul_(a[None, :])  # cosh d = 1 + u
        u.fill_diagonal_(1.0)
        s = (u + 2).mul_(u).sqrt_()
        l = (u + s).log1p_().mul_(-1 / tau)
        l.fill_diagonal_(float("-inf"))
        lse = torch.logsumexp(l, 1)
        ctx.save_for_backward(x, a, u, s, l, lse)
        ctx.tau = tau
        return (lse - l[torch.arange(n), partner(n)]).mean()

    @staticmethod
    def backward(ctx, go):
        x, a, u, s, l, lse = ctx.saved_tensors
        n = x.shape[0]
        p = (l - lse[:, None]).exp_()
        p[torch.arange(n), partner(n)] -= 1
        h = p.add_(p.t().contiguous()).mul_(-go / (n * ctx.tau)).div_(s)
        r = torch.einsum("ij,ij->i", h, u) if n <= 2048 else (h * u).sum(1)
        m = h.mul_((4 * a)[:, None]).mul_(a[None, :])
        return torch.addmm(x * (m.sum(1) + 2 * a * r)[:, None], m, x, alpha=-1), None


class SphereAnalytic(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, tau):
        n, length = x.shape[0], x.norm(dim=1, keepdim=True)
        z = x / length
        l = (z @ z.t()).mul_(1 / tau)
        l.fill_diagonal_(float("-inf"))
        lse = torch.logsumexp(l, 1)
        ctx.save_for_backward(z, length, l, lse)
        ctx.tau = tau
        return (lse - l[torch.arange(n), partner(n)]).mean()

    @staticmethod
    def backward(ctx, go):
        z, length, l, lse = ctx.saved_tensors
        n = z.shape[0]
        p = (l - lse[:, None]).exp_()
        p[torch.arange(n), partner(n)] -= 1
        g = (p @ z + p.t() @ z).mul_(go / (n * ctx.tau))
        return (g - z * (g * z).sum(1, keepdim=True)) / length, None


def arcosh_1p(u):
    return torch.log1p(u + torch.sqrt(u * (u + 2)))


def ball_distances(x, diagonal=1.0):
    x2 = (x * x).sum(1)
    a = 1 / (1 - x2)
    u = (x2[:, None] + x2[None, :] - 2 * (x @ x.t())).clamp(min=1e-7) * (2 * a[:, None]) * a[None, :]
    return arcosh_1p(u)


def lorentz_distances(x):
    y = torch.cat([x[:, :1], -x[:, 1:]], 1)
    return arcosh_1p((y @ x.t() - 1).clamp(min=1e-7))


def geoopt_distances(x):
    sys.path.insert(0, os.environ["GEOOPT_DIR"])
    import geoopt
    ball = geoopt.PoincareBall(c=1.0)
    return ball.to(x.dtype).dist(x[:, None, :], x[None, :, :])


def nt_xent(logits):
    n = logits.shape[0]
    eye = torch.eye(n, dtype=torch.bool)
    return F.cross_entropy(logits.masked_fill(eye, float("-inf")), partner(n))


def sup_con(logits):
    n = logits.shape[0]
    eye, label = torch.eye(n, dtype=torch.bool), torch.arange(n) % 10
    logits = logits.masked_fill(eye, float("-inf"))
    positive = (label[:, None] == label[None, :]) & ~eye
    zero = torch.zeros((), dtype=logits.dtype)
    return (torch.logsumexp(logits, 1) - torch.where(positive, logits, zero).sum(1) / positive.sum(1)).mean()


def cosine(x):
    z = F.normalize(x)
    return z @ z.t() / TAU


def mobius_add(x, y):
    xy, x2, y2 = (x * y).sum(1, keepdim=True), (x * x).sum(1, keepdim=True), (y * y).sum(1, keepdim=True)
    below = 1 + 2 * xy + x2 * y2
    return ((1 + 2 * xy + y2) / below) * x + ((1 - x2) / below) * y


def radial(f):
    def of(v):
        n = v.norm(dim=1, keepdim=True)
        return v * (f(n) / n)
    return of


def expmap(x, v):
    n = v.norm(dim=1, keepdim=True)
    return mobius_add(x, v * (torch.tanh(n / (1 - (x * x).sum(1, keepdim=True))) / n))


def dist(x, y):
    q = (x - y).pow(2).sum(1) / ((1 - (x * x).sum(1)) * (1 - (y * y).sum(1)))
    return arcosh_1p(2 * q)


tau = TAU * math.sqrt(C)
clipped = lambda v: v * (0.5 / v.norm(dim=1, keepdim=True)).clamp(max=1.0)
maps = {"expmap0": (radial(torch.tanh), 1), "clip": (clipped, 1), "logmap0": (radial(torch.atanh), 1),
        "mobius_add": (mobius_add, 2), "expmap": (expmap, 2), "dist": (dist, 2)}
jobs = {
    "ntxent-ball": (ball_points, {"analytic": lambda x: BallAnalytic.apply(x, tau),
                                  "autograd": lambda x: nt_xent(ball_distances(x) / -tau),
                                  "geoopt": lambda x: nt_xent(geoopt_distances(x) / -tau)}),
    "ntxent-sphere": (lambda n, d: features(n, d)[0], {"analytic": lambda x: SphereAnalytic.apply(x, TAU),
                                                       "autograd": lambda x: nt_xent(cosine(x))}),
    "ntxent-lorentz": (lorentz_points, {"autograd": lambda x: nt_xent(lorentz_distances(x) / -tau)}),
    "supcon-ball": (ball_points, {"autograd": lambda x: sup_con(ball_distances(x) / -tau)}),
    "distances-ball": (ball_points, {"autograd": ball_distances}),
}


def step(f, inputs, upstream=None, backward=True):
    if not backward:
        with torch.no_grad():
            return f(*inputs), ()
    y = f(*inputs)
    return y, torch.autograd.grad(y, inputs, upstream)


def run(spec):
    dtype = {"float": torch.float32, "double": torch.float64}[spec.get("dtype", "float")]
    n, d, upstream = spec["n"], spec["d"], None
    if spec["job"] in maps:
        f, arguments = maps[spec["job"]]
        second = rows(n, d, 0.1, 0.5 if spec["job"] == "expmap" else 0.9, 2)
        inputs = [rows(n, d, 0.1, 0.9, 1), second][:arguments]
    else:
        make, impls = jobs[spec["job"]]
        f, inputs = impls[spec["impl"]], [make(n, d)]
    inputs = [x.to(dtype).requires_grad_() for x in inputs]
    if spec["job"] in maps or spec["job"].startswith("distances"):
        upstream = torch.ones_like(f(*inputs))
    go = lambda: step(f, inputs, upstream, spec.get("backward", True))
    times, start = [], time.perf_counter()
    go()
    while len(times) < 3 or time.perf_counter() - start < spec["seconds"]:
        t = time.perf_counter()
        go()
        times.append(time.perf_counter() - t)
        if time.perf_counter() - start > 20:
            break
    return {"ms": statistics.median(times) * 1e3}


def check():
    for name, (make, impls) in jobs.items():
        x = make(256, 32).requires_grad_()
        first = None
        for impl, f in impls.items():
            if impl == "geoopt":
                continue
            y = f(x)
            g = torch.autograd.grad(y.sum() if y.dim() else y, x)[0]
            first = g if first is None else first
            error = ((g - first).norm() / first.norm()).item()
            print(f"{name} {impl}: gradients differ by {error:.1e}")
            if not error < 1e-5:
                sys.exit("the implementations disagree")


if "--check" in sys.argv:
    check()
else:
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)
