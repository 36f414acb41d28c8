"""Trains with DDP, a checkpoint every 5 steps; in attempt 0 rank 2 leaves with os._exit in step 8.
At the end rank 0 trains the same alone, from the first step, and compares. usage: resume.py DIR"""
import os
import sys

import torch
import torch.distributed as dist

STEPS, EVERY, DEATH = 12, 5, 8
checkpoint = os.path.join(sys.argv[1], "checkpoint.pt")


def batch(step, rank):
    x = torch.randn(8, 4, generator=torch.Generator().manual_seed(1000 * step + rank))
    return x, x.sum(1, keepdim=True)


def new_model():
    torch.manual_seed(0)
    model = torch.nn.Linear(4, 1)
    return model, torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)


def loss_of(model, step, rank):
    x, y = batch(step, rank)
    return torch.nn.functional.mse_loss(model(x), y)


dist.init_process_group("gloo")
rank, world = dist.get_rank(), dist.get_world_size()
model, optimizer = new_model()
begin = 0
if os.path.exists(checkpoint):
    state = torch.load(checkpoint)
    begin = state["step"]
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
print(f"attempt {os.environ['TORCHELASTIC_RESTART_COUNT']} begins after step {begin}")
ddp = torch.nn.parallel.DistributedDataParallel(model)
for step in range(begin + 1, STEPS + 1):
    if rank == 2 and step == DEATH and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
        os._exit(13)
    optimizer.zero_grad()
    loss_of(ddp, step, rank).backward()
    optimizer.step()
    if step % EVERY == 0:
        if rank == 0:
            torch.save({"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict()},
                       checkpoint + ".new")
            os.replace(checkpoint + ".new", checkpoint)
        dist.barrier()
if rank == 0:
    alone, optimizer = new_model()
    for step in range(1, STEPS + 1):
        optimizer.zero_grad()
        sum(loss_of(alone, step, r) / world for r in range(world)).backward()
        optimizer.step()
    same = all(torch.allclose(a, b, atol=1e-6) for a, b in zip(model.parameters(), alone.parameters()))
    print("as undisturbed" if same else f"differs: {model.weight} {alone.weight}")
dist.barrier()
dist.destroy_process_group()
