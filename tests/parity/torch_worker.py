"""The worker's training, written with PyTorch's DistributedDataParallel: same model, same initial
weights, same samples in the same order. One rank; started by a launcher, or alone.

Prints one JSON object a line: the loss of each step with --losses, and at the end the median time
of a step. What it shares with the worker by contract (worker/base/random.hpp, worker/data/sampler.hpp,
worker/model/layout.hpp) is written here a second time on purpose: the two check each other.
"""
import argparse
import contextlib
import json
import os
import statistics
import sys
import time

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F

U64 = np.uint64


def mix1(x):
    """SplitMix64's finalizer."""
    x = x + U64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> U64(30))) * U64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> U64(27))) * U64(0x94D049BB133111EB)
    return x ^ (x >> U64(31))


def mix(key, counter):
    return mix1(mix1(np.asarray(key, U64)) ^ np.asarray(counter, U64))


def permute(index, size, key):
    """The Feistel network with cycle walking of worker/data/sampler.cpp, for one index."""
    half = max(1, ((size - 1).bit_length() + 1) // 2)
    mask = (1 << half) - 1
    while True:
        left, right = index >> half, index & mask
        for r in range(6):
            f = int(mix((key + r) & 0xFFFFFFFFFFFFFFFF, right)) & mask
            left, right = right, left ^ f
        index = (left << half) | right
        if index < size:
            return index


def samples_of(step, samples, batch, seed, rank, world):
    return [
        permute(at % samples, samples, int(mix(seed, at // samples)))
        for at in range(step * batch + rank, (step + 1) * batch, world)
    ]


class Model(torch.nn.Module):
    """Bengio et al. 2003 over bytes, as worker/model/model.hpp."""

    def __init__(self, context, embed, hidden, layers):
        super().__init__()
        self.embedding = torch.nn.Embedding(256, embed)
        self.hidden = torch.nn.ModuleList(
            torch.nn.Linear(context * embed if i == 0 else hidden, hidden) for i in range(layers)
        )
        self.output = torch.nn.Linear(hidden, 256)

    def forward(self, contexts):
        x = self.embedding(contexts).flatten(1)
        for layer in self.hidden:
            x = F.gelu(layer(x), approximate="tanh")
        return self.output(x)

    @torch.no_grad()
    def initialize(self, seed):
        """worker/model/layout.cpp's initialize: segments in the order gradients become ready."""
        order = [self.output.bias, self.output.weight]
        for layer in reversed(self.hidden):
            order += [layer.bias, layer.weight]
        order.append(self.embedding.weight)
        for segment, p in enumerate(order):
            if p.dim() == 1:
                p.zero_()
                continue
            variance = 2 / p.shape[1]
            if p is self.output.weight:
                variance = 1 / (3 * p.shape[1])
            if p is self.embedding.weight:
                variance = 1.0
            bits = mix(mix(seed, segment), np.arange(p.numel(), dtype=U64))
            unit = (bits >> U64(11)).astype(np.float64) * 2.0**-53
            values = (3 * variance) ** 0.5 * (2 * unit - 1)
            p.copy_(torch.from_numpy(values.astype(np.float32)).view_as(p))


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    for name, value in (("context", 6), ("embed", 16), ("hidden", 128), ("layers", 1),
                        ("batch", 256), ("steps", 400), ("warmup", 10), ("seed", 1)):
        parser.add_argument("--" + name, type=int, default=value)
    for name, value in (("lr", 2e-3), ("weight-decay", 1.0), ("grad-clip", 1.0),
                        ("held-out", 0.1)):
        parser.add_argument("--" + name, type=float, default=value)
    parser.add_argument("--losses", action="store_true")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--dtype", choices=("fp32", "bf16"), default="fp32")
    return parser.parse_args()


def main():
    o = arguments()
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    np.seterr(over="ignore")  # arithmetic modulo 2^64 is meant
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 1)))
    device = torch.device(o.device)
    gpu = device.type == "cuda"
    if gpu:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
    if world > 1:
        dist.init_process_group("nccl" if gpu else "gloo")
    compute = (torch.autocast(device.type, dtype=torch.bfloat16) if o.dtype == "bf16"
               else contextlib.nullcontext())
    data = np.fromfile(o.data, dtype=np.uint8)
    text = torch.from_numpy(data[: round(len(data) * (1 - o.held_out))].astype(np.int64))
    windows = text.to(device).unfold(0, o.context + 1, 1)

    model = Model(o.context, o.embed, o.hidden, o.layers)
    model.initialize(o.seed)
    model.to(device)
    ddp = torch.nn.parallel.DistributedDataParallel(model) if world > 1 else model
    matrices = [p for p in model.parameters() if p.dim() == 2]
    biases = [p for p in model.parameters() if p.dim() == 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": o.weight_decay},
         {"params": biases, "weight_decay": 0.0}], lr=o.lr, **({"fused": True} if gpu else {}))

    # Drawn in advance: the sampler in Python is not part of the comparison.
    shares = [torch.tensor(samples_of(s, len(windows), o.batch, o.seed, rank, world), device=device)
              for s in range(o.steps)]
    times = []
    for step in range(o.steps):
        begin = time.perf_counter()
        rows = windows[shares[step]]
        rate = o.lr * (min(1.0, (step + 1) / o.warmup) if o.warmup else 1.0)
        for group in optimizer.param_groups:
            group["lr"] = rate
        with compute:
            logits = ddp(rows[:, :-1])
            # DDP averages over the ranks: a share of the global mean, times the number of ranks.
            loss = F.cross_entropy(logits, rows[:, -1], reduction="sum") / o.batch * world
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if o.grad_clip:
            torch.nn.utils.clip_grad_norm_(model.parameters(), o.grad_clip)
        optimizer.step()
        if gpu:
            torch.cuda.synchronize()
        times.append(time.perf_counter() - begin)
        if o.losses:
            mean = loss.detach() / world
            if world > 1:
                dist.all_reduce(mean)
            if rank == 0:
                print(json.dumps({"step": step + 1, "loss": mean.item()}))
    if rank == 0:
        print(json.dumps({"median_ms": statistics.median(times) * 1e3}))
        sys.stdout.flush()
    if world > 1:
        dist.barrier()
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
