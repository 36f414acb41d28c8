"""A PyTorch worker: DistributedDataParallel, plus a few lines that report steps to ddp-launch and
let fault plans inject into it (ddp_faults.py, in this folder).

    ddp-launch --nproc 4 -- python3 torch_worker.py
"""
import os

import torch
import torch.distributed as dist

import ddp_faults


class State:
    """What DDP hands to its communication hook."""

    def __init__(self, launcher):
        self.launcher = launcher
        self.step = 0


def all_reduce(state, bucket):
    """DDP's own all-reduce, with the faults that a plan has for it."""
    gradient = bucket.buffer()
    state.launcher.damage(state.step, gradient)
    state.launcher.before_allreduce(state.step)
    dying = state.launcher.dies_in_allreduce(state.step)
    gradient.div_(dist.get_world_size())
    future = dist.all_reduce(gradient, async_op=True).get_future()
    if dying:
        ddp_faults.die()
    return future.then(lambda done: done.value()[0])


def main():
    launcher = ddp_faults.Launcher()
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    rank, local_rank = dist.get_rank(), int(os.environ["LOCAL_RANK"])
    device = torch.device("cuda", local_rank) if torch.cuda.is_available() else torch.device("cpu")
    torch.manual_seed(0)
    model = torch.nn.parallel.DistributedDataParallel(
        torch.nn.Linear(8, 1).to(device), device_ids=[local_rank] if device.type == "cuda" else None)
    state = State(launcher)
    if launcher.active:
        model.register_comm_hook(state, all_reduce)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.05)
    launcher.ready()
    generator = torch.Generator().manual_seed(rank)  # each rank draws its own samples
    for step in range(1, 51):
        state.step = step
        launcher.begin_step(step)
        x = torch.randn(32, 8, generator=generator).to(device)
        loss = torch.nn.functional.mse_loss(model(x), x.sum(1, keepdim=True))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        launcher.end_step(step, loss=loss.item())
    weight = next(model.parameters()).detach().cpu().double().sum().item()
    print(f"rank {rank} of {dist.get_world_size()}: loss {loss.item():.4f}, weights {weight:.6f}")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
