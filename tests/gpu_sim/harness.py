"""Runs the worker over the simulated GPU, alone or under ddp-launch."""
import json
import os
import pathlib
import subprocess
import tempfile

SMALL = ["--context", "4", "--embed", "8", "--hidden", "24", "--layers", "2", "--batch", "16",
         "--grad-clip", "0", "--log-every", "1", "--json"]
STEPS = 12


class Run:
    def __init__(self, done):
        self.code, self.errors = done.returncode, done.stderr
        self.lines = [json.loads(x) for x in done.stdout.splitlines() if x.startswith("{")]

    def events(self, name):
        return [line for line in self.lines if line["event"] == name]

    @property
    def losses(self):
        return [line["loss"] for line in self.events("step")]

    @property
    def digest(self):
        return self.events("summary")[-1]["digest"]


class Simulation:
    """`root` is the directory gpu_sim of a build, or another with a libddp_worker_cuda.so and a worker.
    What a double objects to fails the test, also where a restarted group went on (DDP_SIM_REPORTS).
    DDP_SIM_LAUNCH names another ddp-launch: one without a sanitizer, for instance."""

    def __init__(self, root):
        self.root = pathlib.Path(root).resolve()
        self._folder = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self._folder.name)
        self.reports = self.folder / "reports"
        self.reports.mkdir()
        self.data = self.folder / "text"
        self.data.write_bytes(pathlib.Path(__file__).read_bytes() * 2)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        reports = self.objections()
        self._folder.cleanup()
        if kind is None:
            assert not reports, reports

    def objections(self):
        return "".join(path.read_text() for path in self.reports.iterdir())

    def environment(self, **variables):
        own = dict(os.environ)
        for name in list(own):
            if name.startswith(("NCCL_", "DDP_SIM_", "CUDA_VISIBLE_DEVICES")):
                del own[name]
        library = ":".join(filter(None, [str(self.root / "lib"), own.get("LD_LIBRARY_PATH")]))
        own.update(LD_LIBRARY_PATH=library, PATH=f"{self.root / 'bin'}:{own['PATH']}",
                   DDP_SIM_REPORTS=str(self.reports), **variables)
        return own

    def worker(self, *flags, backend="nccl"):
        return [str(self.root / "bin" / "worker"), "--data", str(self.data), "--backend", backend,
                *SMALL, "--steps", str(STEPS), "--comm-timeout", "20s", *flags]

    def checkpoints(self, name, every=5):
        return ["--checkpoint-dir", str(self.folder / name), "--checkpoint-every", str(every)]

    def run(self, ranks, *flags, launch=(), backend="nccl", devices=None, timeout=240,
            grace="5s", **variables):
        """Started by ddp-launch, on as many devices as ranks unless `devices` says otherwise."""
        launcher = os.environ.get("DDP_SIM_LAUNCH") or str(self.root / "bin" / "ddp-launch")
        command = [launcher, "--nproc", str(ranks), "--output", "raw",
                   "--backoff", "1ms", "--shutdown-timeout", grace, *launch, "--",
                   *self.worker(*flags, backend=backend)]
        variables.setdefault("DDP_SIM_DEVICES", str(devices or ranks))
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout,
                              env=self.environment(**variables))
        return Run(done)

    def train(self, ranks, *flags, **options):
        run = self.run(ranks, *flags, **options)
        assert run.code == 0, f"{ranks} rank(s), {flags}, {options}: {run.code}\n{run.errors}"
        return run


def worst(a, b):
    assert len(a) == len(b), (a, b)
    return max(abs(x - y) / abs(y) for x, y in zip(a, b))
