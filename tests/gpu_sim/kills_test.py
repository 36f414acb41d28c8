"""Random kills, and deaths inside an all-reduce, on the simulated GPU: each costs a restart, and the
parameters at the end are those of an undisturbed run, to the bit.
usage: kills_test.py GPU_SIM_DIRECTORY KILLS"""
import sys

from harness import Simulation

RANKS = 2


def main():
    kills = int(sys.argv[2])
    steps = ["--steps", str(3 * kills), "--log-every", "1000"]
    with Simulation(sys.argv[1]) as sim:
        undisturbed = sim.train(RANKS, *steps, timeout=600)
        for name, times in (("kill", kills), ("die-in-allreduce", max(1, kills // 10))):
            fault = f"{name}@mtbf=2steps,times={times}"
            run = sim.run(RANKS, *steps, *sim.checkpoints(name, every=1), timeout=900,
                          launch=["--max-restarts", str(kills), "--crash-loop", "0", "--inject", fault])
            assert run.code == 0, run.errors[-2000:]
            restarts = len(run.events("start")) - 1
            assert restarts == times, f"{name}: {restarts} of {times} times"
            assert run.digest == undisturbed.digest, f"{name}: other parameters"
            print(f"{name}: {restarts} restarts, the undisturbed digest", flush=True)


main()
