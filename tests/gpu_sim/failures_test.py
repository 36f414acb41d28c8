"""Failures of the worker on the simulated GPU. usage: failures_test.py GPU_SIM_DIRECTORY"""
import signal
import socket
import subprocess
import sys
import threading

from harness import Simulation


def hanging_abort(sim):
    """Where even ncclCommAbort does not return, the process ends all the same."""
    run = sim.run(2, "--comm-timeout", "1s", DDP_SIM_NCCL_HANG="1@8", DDP_SIM_NCCL_ABORT_HANGS="1",
                  grace="60s")
    assert run.code == 1 and "the device does not stop" in run.errors, run.errors
    # So does a rank whose own device is lost.
    run = sim.run(2, DDP_SIM_LOSE_DEVICE="1@150", DDP_SIM_NCCL_ABORT_HANGS="1", grace="60s")
    assert run.code == 1 and "this rank failed; the device does not stop" in run.errors, run.errors


def devices(sim):
    """Which device a rank uses, and the ways in which ranks share one."""
    run = sim.run(2, devices=1)
    assert run.code == 2 and "--oversubscribe" in run.errors, run.errors
    expected = sim.train(2).digest
    assert sim.train(2, devices=1, launch=["--oversubscribe"]).digest == expected
    assert sim.train(2, devices=1, launch=["--oversubscribe"],
                     DDP_SIM_NCCL_VERSION="23000").digest == expected
    assert sim.train(2, devices=8, launch=["--devices", "6,3"]).digest == expected
    run = sim.run(2, devices=2, CUDA_VISIBLE_DEVICES="0,0")
    assert run.code == 2 and "shows no device" in run.errors, run.errors
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


class Ranks:
    """Two ranks without a launcher: nothing tears the second down when the first dies."""

    def __init__(self, sim, *flags):
        # Bound for as long as the ranks run: no other program is given it, and rank 0 can listen.
        self.port = socket.socket()
        self.port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.port.bind(("127.0.0.1", 0))
        self.errors = [sim.folder / f"stderr-{rank}" for rank in range(2)]
        self.all = []
        for rank in range(2):
            with self.errors[rank].open("w") as errors:
                self.all.append(subprocess.Popen(
                    sim.worker("--steps", "100000", *flags), stdout=subprocess.PIPE,
                    stderr=errors, text=True, env=sim.environment(
                        DDP_SIM_DEVICES="2", RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE="2",
                        LOCAL_WORLD_SIZE="2", MASTER_ADDR="127.0.0.1",
                        MASTER_PORT=str(self.port.getsockname()[1]))))
        self.deadline = threading.Timer(120, self.kill)
        self.deadline.start()
        while '"step":3,' not in (line := self.all[0].stdout.readline()).replace(" ", ""):
            assert line, self.errors[0].read_text()

    def kill(self):
        for process in self.all:
            process.kill()

    def wait(self, rank):
        """Its exit code, and what it wrote on stderr."""
        self.all[rank].communicate(timeout=60)
        return self.all[rank].returncode, self.errors[rank].read_text()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.deadline.cancel()
        self.kill()
        for process in self.all:
            process.communicate()
        self.port.close()


def dead_peer(sim):
    """NCCL does not notice it: the survivor does, long before its deadline, and aborts."""
    with Ranks(sim, "--comm-timeout", "10m") as ranks:
        ranks.all[1].kill()
        code, errors = ranks.wait(0)
        assert code == 1, errors
        assert "NCCL: the all-reduce" in errors and "failed: rank 1 is gone" in errors, errors


def stop_request(sim):
    kept = sim.checkpoints("stopped", every=0)
    with Ranks(sim, *kept) as ranks:
        for process in ranks.all:
            process.send_signal(signal.SIGTERM)
        ended = [ranks.wait(rank) for rank in range(2)]
        assert [code for code, _ in ended] == [0, 0], ended
    assert any(path.suffix != "" for path in (sim.folder / "stopped").iterdir())


def main():
    only = set(sys.argv[2:])
    with Simulation(sys.argv[1]) as sim:
        expected = {ranks: sim.train(ranks).digest for ranks in (1, 2)}
        for name, case in (("devices", lambda: devices(sim)), ("memory", lambda: memory(sim)),
                           ("lost device", lambda: lost_device(sim, expected)),
                           ("asynchronous errors", lambda: asynchronous_errors(sim, expected)),
                           ("hanging abort", lambda: hanging_abort(sim)), ("hang", lambda: hang(sim)), ("dead peer", lambda: dead_peer(sim)),
                           ("stop request", lambda: stop_request(sim))):
            if only and name not in only:
                continue
            case()
            print(f"{name}: as expected", flush=True)


main()
