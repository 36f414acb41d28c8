"""Failures of the worker on the simulated GPU. usage: failures_test.py GPU_SIM_DIRECTORY"""
import os
import signal
import socket
import subprocess
import sys

from harness import MISUSE, STEPS, Simulation


def devices(sim):
    """Which device a rank uses, and the ways in which ranks share one."""
    run = sim.run(2, devices=1)
    assert run.code == 2 and "--oversubscribe" in run.errors, run.errors
    expected = sim.train(2).digest
    assert sim.train(2, devices=1, launch=["--oversubscribe"]).digest == expected
    assert sim.train(2, devices=1, launch=["--oversubscribe"],
                     DDP_SIM_NCCL_VERSION="23000").digest == expected
    assert sim.train(2, devices=8, launch=["--devices", "6,3"]).digest == expected
    # Nothing but a different host separates two ranks before NCCL 2.30.
    for version, words in (("22803", "Duplicate GPU detected : rank 1 and rank 0"),
                           ("23000", "Set NCCL_MULTI_RANK_GPU_ENABLE=1")):
        run = sim.run(2, devices=1, NCCL_HOSTID="same", DDP_SIM_NCCL_VERSION=version)
        assert run.code == 1 and words in run.errors, run.errors


def memory(sim):
    run = sim.run(1, DDP_SIM_MEMORY=str(8 << 20))
    assert run.code == 1 and "CUDA: cudaMalloc: out of memory" in run.errors, run.errors


def lost_device(sim, expected):
    for ranks in (1, 2):
        kept = sim.checkpoints(f"lost-{ranks}", every=3)
        run = sim.run(ranks, *kept, launch=["--max-restarts", "1"],
                      DDP_SIM_LOSE_DEVICE=f"{ranks - 1}@150")
        assert "uncorrectable ECC error encountered" in run.errors, run.errors
        assert f"rank {ranks - 1} exited with code 1" in run.errors, run.errors
        assert run.code == 0 and run.digest == expected[ranks], run.errors


def asynchronous_errors(sim, expected):
    """An error that NCCL finds is reported at once, and one that it does not at the deadline."""
    kept = sim.checkpoints("error", every=3)
    run = sim.run(2, *kept, launch=["--max-restarts", "1"], DDP_SIM_NCCL_ERROR="1@8")
    assert "remote process exited or there was a network error" in run.errors, run.errors
    assert run.code == 0 and run.digest == expected[2], run.errors
    run = sim.run(2, "--comm-timeout", "1s", DDP_SIM_NCCL_HANG="1@8")
    assert run.code == 1, run.errors
    assert "failed: not complete within 1000 ms: a rank is dead, hangs or is behind" in run.errors
    run = sim.run(2, "--comm-timeout", "1s", launch=["--inject", "skip-allreduce@step=6,rank=1"])
    assert run.code == 1 and "the all-reduce of bucket 0 in step 6 failed" in run.errors, run.errors


def hang(sim):
    """A rank that skips an all-reduce: NCCL's RAS says which."""
    run = sim.run(2, "--comm-timeout", "10m", launch=[
        "--progress-timeout", "2s", "--on-hang", "none", "--inject", "skip-allreduce@step=6,rank=1"])
    assert run.code == 72, run.errors
    assert "NCCL's RAS: communicator 0x" in run.errors and (
        "rank 1 has launched 5 AllReduce operations, the other 6" in run.errors), run.errors


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Ranks:
    """Two ranks without a launcher: nothing tears the second down when the first dies."""

    def __init__(self, sim, *flags):
        port = str(free_port())
        self.all = []
        for rank in range(2):
            self.all.append(subprocess.Popen(
                sim.worker("--steps", "100000", *flags), stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True, env=sim.environment(
                    DDP_SIM_DEVICES="2", RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE="2",
                    LOCAL_WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=port)))
        while '"step":3,' not in self.all[0].stdout.readline().replace(" ", ""):
            assert self.all[0].poll() is None, self.all[0].stderr.read()

    def __enter__(self):
        return self.all

    def __exit__(self, *_):
        for process in self.all:
            process.kill()
            process.communicate()


def dead_peer(sim):
    """NCCL does not notice it: the survivor does, long before its deadline, and aborts."""
    with Ranks(sim, "--comm-timeout", "10m") as (first, second):
        second.kill()
        _, errors = first.communicate(timeout=60)
        assert first.returncode == 1, errors
        assert "NCCL: the all-reduce" in errors and "failed: rank 1 is gone" in errors, errors


def stop_request(sim):
    kept = sim.checkpoints("stopped", every=0)
    with Ranks(sim, *kept) as ranks:
        for process in ranks:
            process.send_signal(signal.SIGTERM)
        outputs = [process.communicate(timeout=60) for process in ranks]
        assert [process.returncode for process in ranks] == [0, 0], outputs
    assert any(path.suffix != "" for path in (sim.folder / "stopped").iterdir())


def main():
    only = set(sys.argv[2:])
    with Simulation(sys.argv[1]) as sim:
        expected = {ranks: sim.train(ranks).digest for ranks in (1, 2)}
        for name, case in (("devices", lambda: devices(sim)), ("memory", lambda: memory(sim)),
                           ("lost device", lambda: lost_device(sim, expected)),
                           ("asynchronous errors", lambda: asynchronous_errors(sim, expected)),
                           ("hang", lambda: hang(sim)), ("dead peer", lambda: dead_peer(sim)),
                           ("stop request", lambda: stop_request(sim))):
            if only and name not in only:
                continue
            case()
            print(f"{name}: as expected", flush=True)


main()
