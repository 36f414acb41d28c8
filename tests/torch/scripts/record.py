"""A recorded exception in rank 1."""
import os

import torch.distributed as dist
from torch.distributed.elastic.multiprocessing.errors import record


def read_shard(number):
    raise ValueError(f"bad data in shard {number}")


@record
def main():
    dist.init_process_group("gloo")
    dist.barrier()
    if os.environ["RANK"] == "1":
        read_shard(7)
    dist.barrier()


if __name__ == "__main__":
    main()
