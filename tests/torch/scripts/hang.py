"""An all-reduce a step. In step 3 rank 1 waits for a file server after it, and never joins the next one."""
import faulthandler
import os
import signal
import sys
import threading

import torch
import torch.distributed as dist

sys.path.insert(0, os.environ["EXAMPLES"])
import ddp_faults

faulthandler.register(signal.SIGUSR1)


def waits_for_file_server():
    threading.Event().wait()


def joins_collective():
    dist.all_reduce(torch.ones(1))


launcher = ddp_faults.Launcher()
dist.init_process_group("gloo")
launcher.ready()
for step in range(1, 6):
    joins_collective()
    if dist.get_rank() == 1 and step == 3:
        waits_for_file_server()
    launcher.end_step(step)
