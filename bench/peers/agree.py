#!/usr/bin/env python3
"""Whether the examples' networks are PyTorch's: the same weights, images and steps in both.

  sh bench/peers/agree.sh

bench/agree writes weights, images, outputs and losses (safetensors); here PyTorch starts from those
weights in double and in float, and takes the same steps. At width 9 no convolution has whole vectors
of channels (but the last stage of resnet18) and all go the direct way, at width 16 most by Winograd's
products. Outputs are of the first step, and after all steps with the running statistics; a difference
is relative to the largest output. Fails where outputs of the first step differ by more than 1e-5 at
width 9, 1e-4 at another, or a loss by more than 1e-3 and twice what PyTorch in float differs by:
a ReLU or a maximum that goes the other way is the start of another path.
"""
import argparse
import json
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import torch_cnn

ROOT = Path(__file__).parent.parent.parent
DTYPES = {"F32": np.float32, "I64": np.int64}


def load(path):
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    out = {}
    for name, t in header.items():
        begin, end = t["data_offsets"]
        out[name] = np.frombuffer(data[8 + size + begin:8 + size + end],
                                  DTYPES[t["dtype"]]).reshape(t["shape"])
    return out


def networks(width):
    w = width
    cbr, residual = torch_cnn.cbr, torch_cnn.Residual
    mean = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    top = nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten())
    return {
        "plain": nn.Sequential(cbr(3, w, 2), cbr(w, 2 * w, 2), cbr(2 * w, 4 * w, 2), Pixels(),
                               nn.Linear(64 * w, 10)),
        "small": nn.Sequential(cbr(3, w, 2), cbr(w, 2 * w, 2), residual(2 * w),
                               cbr(2 * w, 4 * w, 2), residual(4 * w), mean, nn.Linear(4 * w, 10)),
        "resnet9": nn.Sequential(cbr(3, w), cbr(w, 2 * w, 2), residual(2 * w),
                                 cbr(2 * w, 4 * w, 2), cbr(4 * w, 4 * w, 2), residual(4 * w), top,
                                 nn.Linear(4 * w, 10)),
        "airbench": torch_cnn.Airbench(w),
        "resnet18": torch_cnn.basic_net(w, (2, 2, 2, 2)),
        "resnet20": torch_cnn.basic_net(w, (3, 3, 3)),
    }


class Pixels(nn.Module):
    """Flattens as NHWC, which is how hcl's images lie."""

    def forward(self, x):
        return x.permute(0, 2, 3, 1).flatten(1)


def fill(net, weights):
    """Our parameters in PyTorch's: the same order, convolutions k k ci co to co ci k k."""
    weights = iter(weights)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.Conv2d):
                o, i, k, _ = module.weight.shape
                w = next(weights).reshape(k, k, i, o).transpose(3, 2, 0, 1)
                module.weight.copy_(torch.from_numpy(w.copy()))
            elif isinstance(module, (nn.BatchNorm2d, nn.Linear)):
                w = next(weights)
                if isinstance(module, nn.Linear):
                    w = w.reshape(module.in_features, module.out_features).T
                if module.weight.requires_grad:
                    module.weight.copy_(torch.from_numpy(w.copy()))
                    w = next(weights) if module.bias is not None else None
                if module.bias is not None:  # a scale that is not trained is 1 in both
                    module.bias.copy_(torch.from_numpy(w.copy()))
    assert next(weights, None) is None


def torch_side(name, width, ours, steps, dtype):
    net = networks(width)[name].to(dtype)
    fill(net, [ours[k] for k in sorted(ours) if k.startswith("param.")])
    x = torch.from_numpy(ours["x"].transpose(0, 3, 1, 2).copy()).to(dtype)
    y = torch.from_numpy(ours["labels"].copy())
    fast = [m.bias for m in net.modules()
            if isinstance(m, nn.BatchNorm2d) and not m.weight.requires_grad]
    usual = [p for p in net.parameters() if p.requires_grad and all(p is not f for f in fast)]
    sgd = torch.optim.SGD([{"params": usual}, {"params": fast, "lr": 64e-3}], lr=1e-3, momentum=0.9)
    losses, first = [], None
    for _ in range(steps):
        sgd.zero_grad()
        z = net(x)
        first = z.detach() if first is None else first
        loss = F.cross_entropy(z, y)
        loss.backward()
        sgd.step()
        losses.append(loss.item())
    net.eval()
    with torch.no_grad():
        evaluated = net(x)
    return first.double().numpy(), evaluated.double().numpy(), np.array(losses)


def difference(a, b):
    return float(np.abs(a - b).max() / np.abs(b).max())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--nets", nargs="+",
                        default=["plain", "small", "resnet9", "resnet18", "resnet20", "airbench"])
    parser.add_argument("--widths", nargs="+", type=int, default=[9, 16])
    args = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(2)
    failed = False
    print("| network | width | 3 x 3 | outputs, first step | outputs, evaluation after | losses of "
          f"{args.steps} steps | PyTorch's own in float |")
    print("|---|---|---|---|---|---|---|")
    for name in args.nets:
        for width in args.widths:
            file = ROOT / "build/peers" / f"agree-{name}-{width}.safetensors"
            subprocess.run([ROOT / "build/release/bench/agree", name, str(width), str(args.steps),
                            file], check=True)
            ours = load(file)
            want = torch_side(name, width, ours, args.steps, torch.float64)
            single = torch_side(name, width, ours, args.steps, torch.float32)
            mine = (ours["logits.train"], ours["logits.eval"], ours["losses"])
            train, evaluated = (difference(a, b) for a, b in zip(mine[:2], want[:2]))
            losses = float(np.abs(mine[2] / want[2] - 1).max())
            theirs = [difference(a, b) for a, b in zip(single[:2], want[:2])]
            theirs.append(float(np.abs(single[2] / want[2] - 1).max()))
            direct = width % 8 != 0
            failed |= not (losses <= max(1e-3, 2 * theirs[2]))
            failed |= not (train <= (1e-5 if direct else 1e-4))
            print(f"| {name} | {width} | {'direct' if direct else 'Winograd'} | {train:.1e} | "
                  f"{evaluated:.1e} | {losses:.1e} | {', '.join(f'{t:.1e}' for t in theirs)} |")
    sys.exit(failed)


if __name__ == "__main__":
    main()
