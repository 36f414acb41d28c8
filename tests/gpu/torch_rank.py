"""A PyTorch DDP rank for restart_times.py: a few steps, in each a backward pass with DDP's
all-reduce. Rank 0 prints "@ step" after the first. In attempt 0 the last rank then prints "@ died"
with the time, and kills itself.
usage: torch_rank.py cuda|cpu
"""
import os
import signal
import sys
import time

rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
local_rank = int(os.environ["LOCAL_RANK"])

import torch  # noqa: E402
import torch.distributed as dist  # noqa: E402

DYING_STEP = 5


def main():
    gpu = sys.argv[1] == "cuda"
    device = torch.device("cpu")
    if gpu:
        count = torch.cuda.device_count()
        if count < world:  # as ddp-launch --oversubscribe does it
            os.environ.setdefault("NCCL_HOSTID", f"{os.environ['TORCHELASTIC_RUN_ID']}-{rank}")
        device = torch.device("cuda", local_rank % count)
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if gpu else "gloo")
    model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(256, 256).to(device))
    inputs = torch.ones(32, 256, device=device)
    first_attempt = os.environ["TORCHELASTIC_RESTART_COUNT"] == "0"
    for step in range(1, DYING_STEP + 3):
        model.zero_grad(set_to_none=True)
        model(inputs).sum().backward()
        if gpu:
            torch.cuda.synchronize()
        if step == 1 and rank == 0:
            os.write(1, b"@ step\n")
        if step == DYING_STEP and first_attempt and rank == world - 1:
            os.write(1, f"@ died {time.monotonic()}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
