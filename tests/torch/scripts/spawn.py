"""A rank that starts processes with torch.multiprocessing.spawn; they form a separate group."""
import os
import sys

import torch
import torch.distributed as dist
import torch.multiprocessing as mp


def run(index, count, store):
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=index, world_size=count)
    total = torch.tensor([index + 1])
    dist.all_reduce(total)
    # One write: print() makes two of an unbuffered line, and the two processes share a pipe.
    sys.stdout.write(f"process {index} of rank {os.environ['RANK']}: sum {total.item()}\n")
    dist.destroy_process_group()


if __name__ == "__main__":
    mp.spawn(run, args=(2, sys.argv[1]), nprocs=2)
    print("joined")
