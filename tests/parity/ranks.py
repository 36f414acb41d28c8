"""Starts the ranks of a world on this machine, as ddp-launch would, and gives rank 0's output."""
import json
import os
import socket
import statistics
import subprocess


def reserve_port():
    """A loopback port, bound and not listening, as ddp-launch reserves it."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    return held


def median_ms(lines):
    """Of the worker's --json lines with --log-every 1."""
    return statistics.median(line["ms_per_step"] for line in lines if line["event"] == "step")


def run(world, command, timeout=600):
    """Rank 0's JSON lines; raises if a rank fails."""
    with reserve_port() as held:
        ranks = []
        for rank in range(world):
            env = dict(os.environ, RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(world),
                       LOCAL_WORLD_SIZE=str(world), MASTER_ADDR="127.0.0.1",
                       MASTER_PORT=str(held.getsockname()[1]), OMP_NUM_THREADS="1")
            ranks.append(subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True))
        try:
            outputs = [rank.communicate(timeout=timeout)[0] for rank in ranks]
        finally:
            for rank in ranks:
                rank.kill()
    for number, rank in enumerate(ranks):
        if rank.returncode != 0:
            raise SystemExit(f"rank {number} of {command[0]} ended with {rank.returncode}")
    return [json.loads(line) for line in outputs[0].splitlines()]
