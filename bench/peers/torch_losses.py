#!/usr/bin/env python3
"""NT-Xent on the Poincare ball in PyTorch, forward + backward, timed in this process.

The setting is bench_loss's: two views at cosine 0.9, lengths 1.5 to 3 clipped at 2.3, expmap0,
c = 0.1, temperature 0.2. Implementations, strongest first:

  analytic  backward derived by hand, in-place tensor operations, one matrix product each way
  autograd  the efficient formula (one matrix product, log1p in place of acosh), PyTorch's backward

Started by losses.py, which sets what has to be in place before PyTorch loads. Prints one JSON line.
"""
import argparse
import json
import math
import statistics
import time

import torch
import torch.nn.functional as F

ap = argparse.ArgumentParser()
ap.add_argument("--impl", choices=("analytic", "autograd"), required=True)
ap.add_argument("--n", type=int, required=True, help="rows, two views together")
ap.add_argument("--d", type=int, default=128)
ap.add_argument("--threads", type=int, default=2)
ap.add_argument("--seconds", type=float, default=1.5, help="of timing")
ap.add_argument("--check", action="store_true", help="compare the two in double and stop")
a = ap.parse_args()
N, D, C, CLIP, TAU = a.n, a.d, 0.1, 2.3, 0.2
torch.set_num_threads(a.threads)
torch.manual_seed(1)
target = (torch.arange(N) + N // 2) % N
eye = torch.eye(N, dtype=torch.bool)


def points(dtype):
    """On the unit ball: distances there are sqrt(c) times those of the ball of curvature -c."""
    u = F.normalize(torch.randn(N // 2, D, dtype=torch.float64), dim=1)
    w = torch.randn(N // 2, D, dtype=torch.float64)
    w = F.normalize(w - (w * u).sum(1, keepdim=True) * u, dim=1)
    v = torch.cat([u, 0.9 * u + math.sqrt(1 - 0.81) * w])
    r = (1.5 + 1.5 * torch.rand(N, 1, dtype=torch.float64)).clamp(max=CLIP)
    return (torch.tanh(math.sqrt(C) * r) * v).to(dtype)


tau = TAU * math.sqrt(C)


class Analytic(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        x2 = (x * x).sum(1)
        al = 1 / (1 - x2)
        u = (x @ x.t()).mul_(-2).add_(x2[:, None]).add_(x2[None, :]).clamp_(min=0)
        u.mul_((2 * al)[:, None]).mul_(al[None, :])  # cosh d = 1 + u
        u.fill_diagonal_(1.0)
        s = (u + 2).mul_(u).sqrt_()
        lg = (u + s).log1p_().mul_(-1 / tau)
        lg.fill_diagonal_(float("-inf"))
        lse = torch.logsumexp(lg, 1)
        pos = lg[torch.arange(N), target]
        ctx.save_for_backward(x, al, u, s, lg, lse)
        return (lse - pos).mean()

    @staticmethod
    def backward(ctx, go):
        x, al, u, s, lg, lse = ctx.saved_tensors
        p = (lg - lse[:, None]).exp_()
        p[torch.arange(N), target] -= 1
        h = p.add_(p.t().contiguous()).mul_(-go / (N * tau)).div_(s)
        r = torch.einsum("ij,ij->i", h, u) if N <= 2048 else (h * u).sum(1)
        m = h.mul_((4 * al)[:, None]).mul_(al[None, :])
        return torch.addmm(x * (m.sum(1) + 2 * al * r)[:, None], m, x, alpha=-1)


def autograd(x):
    x2 = (x * x).sum(1)
    q = (x2[:, None] + x2[None, :] - 2 * x @ x.t()).clamp(min=0)
    u = 2 * q / ((1 - x2)[:, None] * (1 - x2)[None, :])
    u = u.masked_fill(eye, 1.0)
    logits = -torch.log1p(u + torch.sqrt(u * (u + 2))) / tau
    return F.cross_entropy(logits.masked_fill(eye, float("-inf")), target)


losses = {"analytic": Analytic.apply, "autograd": autograd}


def value_and_grad(loss, x):
    y = loss(x)
    return y.item(), torch.autograd.grad(y, x)[0]


if a.check:
    x = points(torch.float64).requires_grad_()
    (va, ga), (vb, gb) = (value_and_grad(f, x) for f in losses.values())
    print(f"value {va:.12f} {vb:.12f}, gradients differ by {(ga - gb).norm() / gb.norm():.1e}")
    raise SystemExit
x = points(torch.float32).requires_grad_()
loss = losses[a.impl]
value = [value_and_grad(loss, x)[0] for _ in range(3)][0]
times, start = [], time.perf_counter()
while len(times) < 5 or time.perf_counter() - start < a.seconds:
    t = time.perf_counter()
    value_and_grad(loss, x)
    times.append(time.perf_counter() - t)
print(json.dumps({"ms": statistics.median(times) * 1e3, "value": value}))
