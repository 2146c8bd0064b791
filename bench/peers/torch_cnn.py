#!/usr/bin/env python3
"""The networks of bench_train in PyTorch: one CSV line "row,ms" for each job and memory format.

The medians of 5 steps after 2 (3 after 1 for ResNet-18 and Airbench). A training step is forward,
cross-entropy, backward and SGD with momentum in float32 on batches of 128 images (Airbench: 1,024)
that are there already. Inference is eager in both formats, and frozen TorchScript in oneDNN's own
layouts. Run by cnn.py, whose environment is the fastest found: transparent huge pages, no returned
memory.
"""
import argparse
import resource
import statistics
import time

import torch
import torch.nn.functional as F
from torch import nn


def cbr(i, o, pool=0):
    layers = [nn.Conv2d(i, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, *([nn.MaxPool2d(pool)] if pool else []))


class Residual(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.branch = nn.Sequential(cbr(c, c), cbr(c, c))

    def forward(self, x):
        return x + self.branch(x)


class Basic(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.c1, self.b1 = nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o)
        self.c2, self.b2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)
        same = stride == 1 and i == o
        self.shortcut = nn.Sequential() if same else nn.Sequential(
            nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o))

    def forward(self, x):
        y = F.relu(self.b1(self.c1(x)), inplace=True)
        return F.relu(self.b2(self.c2(y)) + self.shortcut(x), inplace=True)


def tiny():
    return nn.Sequential(cbr(3, 32, 2), cbr(32, 64, 2), cbr(64, 128, 2), nn.Flatten(),
                         nn.Linear(2048, 10))


def resnet9():
    return nn.Sequential(cbr(3, 64), cbr(64, 128, 2), Residual(128), cbr(128, 256, 2),
                         cbr(256, 256, 2), Residual(256), nn.MaxPool2d(4), nn.Flatten(),
                         nn.Linear(256, 10))


def basic_net(width, blocks):
    layers, c = [cbr(3, width)], width
    for stage, count in enumerate(blocks):
        for k in range(count):
            o = width << stage
            layers.append(Basic(c, o, 2 if stage > 0 and k == 0 else 1))
            c = o
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c, 10))


class Airbench(nn.Module):
    def __init__(self, w=64):
        super().__init__()

        def conv(i, o):
            return nn.Conv2d(i, o, 3, padding=1, bias=False)

        def norm(c):
            n = nn.BatchNorm2d(c, momentum=0.4, eps=1e-12)
            n.weight.requires_grad = False
            return nn.Sequential(n, nn.GELU(approximate="tanh"))

        def group(i, o):
            return nn.Sequential(conv(i, o), nn.MaxPool2d(2), norm(o), conv(o, o), norm(o))

        first = conv(3, 32)
        first.weight.requires_grad = False
        self.body = nn.Sequential(first, nn.GELU(approximate="tanh"), group(32, w),
                                  group(w, 4 * w), group(4 * w, 4 * w), nn.AdaptiveMaxPool2d(1),
                                  nn.Flatten(), nn.Linear(4 * w, 10, bias=False))

    def forward(self, x):
        return self.body(x) / 9


NETS = {"Tiny": tiny, "ResNet9": resnet9, "ResNet18": lambda: basic_net(64, (2, 2, 2, 2)),
        "ResNet20": lambda: basic_net(16, (3, 3, 3)), "Airbench": Airbench}
BATCH = {"Airbench": 1024}  # of the others 128


def median(f, runs, warm):
    seconds = []
    for _ in range(warm):
        f()
    for _ in range(runs):
        start = time.perf_counter()
        f()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--nets", nargs="+", default=list(NETS), choices=list(NETS))
    parser.add_argument("--jobs", nargs="+", default=["train", "infer"])
    parser.add_argument("--formats", nargs="+", default=["nchw", "nhwc"])
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    def tell(job, name, form, seconds):
        mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{job}/{name},{form},{seconds * 1e3:.3f},{mb:.0f}", flush=True)

    for name in args.nets:
        n = BATCH.get(name, 128)
        for form in args.formats:
            memory = torch.channels_last if form == "nhwc" else torch.contiguous_format
            net = NETS[name]().to(memory_format=memory)
            x = torch.randn(n, 3, 32, 32).contiguous(memory_format=memory)
            y = torch.randint(0, 10, (n,))
            sgd = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.01,
                                  momentum=0.9)

            def step():
                sgd.zero_grad(set_to_none=True)
                F.cross_entropy(net(x), y).backward()
                sgd.step()

            def infer():
                with torch.no_grad():
                    net(x)

            slow = name in ("ResNet18", "Airbench")
            if "train" in args.jobs:
                tell("train", name, form, median(step, 3 if slow else 5, 1 if slow else 2))
            net.eval()
            if "infer" in args.jobs:
                tell("infer", name, form, median(infer, 5, 2))
        if "infer" in args.jobs:
            with torch.no_grad():
                x = x.contiguous()
                traced = torch.jit.trace(net.to(memory_format=torch.contiguous_format), x)
                frozen = torch.jit.optimize_for_inference(torch.jit.freeze(traced))
                tell("infer", name, "frozen", median(lambda: frozen(x), 5, 2))


if __name__ == "__main__":
    main()
