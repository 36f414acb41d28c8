"""Computes until Ctrl-C ends it; like most scripts it does not handle KeyboardInterrupt."""
import torch
import torch.distributed as dist

dist.init_process_group("gloo")
weights = torch.eye(64)
dist.all_reduce(weights)
print("trains", flush=True)
while True:
    torch.mm(weights, weights)
