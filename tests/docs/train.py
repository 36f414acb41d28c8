"""Stands in for a user's training script: ranks in step with each other, a checkpoint, a resume; with
the standard library alone.

Usage: train.py [--out DIR] [--steps N]
"""
import argparse
import os
import pathlib
import socket
import sys
import time

sys.path.insert(0, os.environ["DDP_EXAMPLES"])
import ddp_faults

RANK, WORLD_SIZE = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
ADDRESS = (os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))


class Group:
    """Rank 0 accepts all others; a barrier is a byte from each of them and one back."""

    def __init__(self):
        if RANK == 0:
            listener = socket.create_server(ADDRESS, backlog=WORLD_SIZE)
            self.peers = [listener.accept()[0] for _ in range(WORLD_SIZE - 1)]
            return
        for _ in range(1000):
            try:
                self.peers = [socket.create_connection(ADDRESS)]
                return
            except ConnectionRefusedError:
                time.sleep(0.01)
        sys.exit(f"rank {RANK}: rank 0 does not listen")

    def barrier(self):
        try:
            if RANK:
                self.peers[0].send(b".")
            for peer in self.peers:
                if not peer.recv(1):
                    raise ConnectionResetError("closed")
            if RANK == 0:
                for peer in self.peers:
                    peer.send(b".")
        except OSError as error:
            sys.exit(f"rank {RANK}: a peer is gone: {error}")


parser = argparse.ArgumentParser()
parser.add_argument("--out", default="out", type=pathlib.Path)
parser.add_argument("--steps", default=30, type=int)
options = parser.parse_args()
options.out.mkdir(parents=True, exist_ok=True)
checkpoint = options.out / "checkpoint"

launcher = ddp_faults.Launcher()
group = Group()
launcher.ready()
begin = int(checkpoint.read_text()) if checkpoint.exists() else 0
for step in range(begin + 1, options.steps + 1):
    launcher.begin_step(step)
    time.sleep(0.002)
    group.barrier()
    launcher.end_step(step)
    if step % 10 == 0:
        if RANK == 0:
            scratch = checkpoint.with_suffix(".new")
            scratch.write_text(str(step))
            scratch.replace(checkpoint)
        print(f"epoch {step // 10}", flush=True)
