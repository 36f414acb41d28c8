"""A rank whose DataLoader has two worker processes. It prints their pids and its own after the first
batch, joins an all-reduce, and waits to be killed."""
import os
import sys
import threading

import torch
import torch.distributed as dist
from torch.utils.data import DataLoader, Dataset


class Pids(Dataset):
    def __len__(self):
        return 1000

    def __getitem__(self, index):
        return os.getpid()


dist.init_process_group("gloo")
batches = iter(DataLoader(Pids(), batch_size=1, num_workers=2))
pids = {int(next(batches)) for _ in range(2)}
dist.all_reduce(torch.ones(1))
# One write: print() makes two of an unbuffered line, and torchrun's ranks share a pipe.
sys.stdout.write(f"up {os.getpid()} {' '.join(map(str, sorted(pids)))}\n")
threading.Event().wait()
