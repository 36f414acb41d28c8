"""Training on the simulated GPU: as on the CPU, and to the bit whatever order blocks, threads and
streams run in. usage: training_test.py GPU_SIM_DIRECTORY [--quick]"""
import sys

from harness import STEPS, Simulation, worst

BOUND = 1e-5       # fp32 sums in another order
BF16_BOUND = 0.05
SEVERAL_BUCKETS = ["--hidden", "512", "--steps", "4"]


def main():
    quick = sys.argv[2:] == ["--quick"]  # under a sanitizer, where a fiber costs ten times as much
    with Simulation(sys.argv[1]) as sim:
        cpu = sim.train(1, backend="gloo")
        assert len(cpu.losses) == STEPS and cpu.losses[-1] < cpu.losses[0]
        for ranks in (2,) if quick else (1, 2, 4):
            gpu = sim.train(ranks)
            difference = worst(gpu.losses, cpu.losses)
            assert difference < BOUND, (ranks, difference)
            for seed in ("2",) if quick else ("2", "3"):
                again = sim.train(ranks, DDP_SIM_SEED=seed)
                assert again.digest == gpu.digest, f"{ranks} rank(s): the order shows (seed {seed})"
            # Cut in two by a checkpoint.
            kept = sim.checkpoints(f"cut-{ranks}")
            sim.train(ranks, "--steps", "5", *kept)
            assert sim.train(ranks, *kept).digest == gpu.digest
            print(f"{ranks} rank(s): difference to the CPU {difference:.1e}; the same bits")

        # The gradient's norm, parts of a batch, bf16.
        clipped = ["--grad-clip", "0.5", "--steps", "3", "--accumulate", "2"]
        assert worst(sim.train(2, *clipped).losses,
                     sim.train(1, *clipped, backend="gloo").losses) < BOUND
        assert worst(sim.train(1, "--dtype", "bf16").losses, cpu.losses) < BF16_BOUND

        overlapped = sim.train(2, *SEVERAL_BUCKETS)
        assert overlapped.events("start")[0]["parameters"] > 300_000  # the first bucket is 1 MB
        assert sim.train(2, *SEVERAL_BUCKETS, "--no-overlap").digest == overlapped.digest

        # A checkpoint of one device continues on the other.
        for first, second in (("gloo", "nccl"), ("nccl", "gloo")):
            kept = sim.checkpoints(f"from-{first}")
            begun = sim.train(2, "--steps", "5", *kept, backend=first)
            rest = sim.train(2, *kept, backend=second)
            assert worst(begun.losses + rest.losses, cpu.losses) < BOUND, (first, second)
        print("clipping, accumulation, bf16, overlap, checkpoints between devices: as expected")


main()
