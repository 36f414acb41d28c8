"""A PyTorch worker: DistributedDataParallel as ever, plus a few lines that tell ddp-launch where it
stands (systemd's sd_notify, so any client of it will do).

    ddp-launch --nproc 4 -- python3 torch_worker.py
"""
import os
import socket

import torch
import torch.distributed as dist


def notify(**fields):
    """READY=1, STATUS=..., X_DDP_STEP=..., X_DDP_PHASE=...; does nothing without a launcher."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    message = "\n".join(f"{name}={value}" for name, value in fields.items())
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as s:
        s.setblocking(False)  # a busy launcher must not stop training
        try:
            s.sendto(message.encode(), "\0" + address[1:] if address[0] == "@" else address)
        except OSError:
            pass


def main():
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    rank, local_rank = dist.get_rank(), int(os.environ["LOCAL_RANK"])
    device = torch.device("cuda", local_rank) if torch.cuda.is_available() else torch.device("cpu")
    torch.manual_seed(0)
    model = torch.nn.parallel.DistributedDataParallel(
        torch.nn.Linear(8, 1).to(device), device_ids=[local_rank] if device.type == "cuda" else None)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.05)
    notify(READY=1)
    generator = torch.Generator().manual_seed(rank)  # each rank draws its own samples
    for step in range(1, 51):
        x = torch.randn(32, 8, generator=generator).to(device)
        loss = torch.nn.functional.mse_loss(model(x), x.sum(1, keepdim=True))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        notify(X_DDP_STEP=step, X_DDP_METRIC=f"loss={loss.item()}")
    weight = next(model.parameters()).detach().cpu().double().sum().item()
    print(f"rank {rank} of {dist.get_world_size()}: loss {loss.item():.4f}, weights {weight:.6f}")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
