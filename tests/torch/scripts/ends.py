"""Rank 0 exits first; rank 1 works on until it has seen that, and exits with 0 as well."""
import os
import select

import torch
import torch.distributed as dist

dist.init_process_group("gloo")
pid = torch.tensor([os.getpid()])
dist.broadcast(pid, 0)
watched = os.pidfd_open(pid.item())
dist.barrier()
dist.destroy_process_group()
if os.environ["RANK"] == "1":
    poll = select.poll()
    poll.register(watched, select.POLLIN)
    print("rank 0 has exited" if poll.poll(60_000) else "rank 0 still runs")
