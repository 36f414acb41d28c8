"""Calls everything that ddp_faults.py has, without PyTorch."""
import os
import sys

sys.path.insert(0, os.environ["EXAMPLES"])
import ddp_faults

launcher = ddp_faults.Launcher()
launcher.ready()
launcher.phase("train")
gradient = [1.0]
for step in range(1, 6):
    launcher.begin_step(step)
    launcher.damage(step, gradient)
    launcher.before_allreduce(step)
    if launcher.dies_in_allreduce(step):
        ddp_faults.die()
    launcher.end_step(step, loss=1 / step)
launcher.digest("none")
if gradient == [1.0] and not launcher.active:
    sys.stdout.write(f"rank {os.environ['RANK']}: {step} steps\n")  # one write: torchrun's ranks share a pipe
