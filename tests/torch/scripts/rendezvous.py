"""Joins by env:// or tcp://, and sums 2^rank over all ranks. usage: rendezvous.py env|tcp"""
import os
import sys

import torch
import torch.distributed as dist

rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
if sys.argv[1] == "tcp":
    address = f"tcp://{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
    dist.init_process_group("gloo", init_method=address, rank=rank, world_size=world)
else:
    dist.init_process_group("gloo")
total = torch.tensor([2 ** dist.get_rank()])
dist.all_reduce(total)
print(f"rank {dist.get_rank()} of {dist.get_world_size()}, local rank {os.environ['LOCAL_RANK']} "
      f"of {os.environ['LOCAL_WORLD_SIZE']}, node {os.environ['GROUP_RANK']}: sum {total.item()}")
dist.barrier()
dist.destroy_process_group()
