"""The launchers that are compared: where they are, what they are called, and the flags by which each does the same."""

import os
import shutil
import socket
import subprocess

# What a launcher must not inherit: variables by which another launcher set a rank, and what changes a peer's way.
HIDDEN = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "PMI_RANK", "OMPI_COMM_WORLD_RANK",
          "SLURM_PROCID", "PARALLEL_SEQ", "TORCHELASTIC_RESTART_COUNT", "NOTIFY_SOCKET")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Peer:
    name = ""
    tag = None             # what stands before a line of output, %d the rank; None: cannot tag
    rounds = 1000          # at most so many repetitions, for what takes seconds each
    deadline = 10.0        # seconds; beyond it a launch counts as hung
    restarts = False
    workers_below = True   # the workers are the launcher's descendants
    note = ""

    def __init__(self, program):
        self.program = program

    def environment(self, folder):
        env = {k: v for k, v in os.environ.items() if k not in HIDDEN}
        env.update(TMPDIR=folder, HOME=folder)
        return env

    def launch(self, n, worker):
        """The command line in the launcher's default way."""
        raise NotImplementedError

    def tagged(self, n, worker):
        return self.launch(n, worker)

    def failing(self, n, worker):
        """One that ends the group when a rank fails, where that is not the default."""
        return self.launch(n, worker)

    def restarting(self, n, worker):
        raise NotImplementedError

    def version(self):
        return ""

    def _first_line(self, *arguments):
        done = subprocess.run([self.program, *arguments], capture_output=True, text=True, timeout=30, check=False)
        lines = (done.stdout + done.stderr).strip().splitlines()
        return lines[0].strip() if lines else "?"


class Floor(Peer):
    name = "bare loop"

    def launch(self, n, worker):
        return [self.program, str(n), *worker]


class DdpLaunch(Peer):
    name = "ddp-launch"
    tag = "[%d] "
    restarts = True

    def launch(self, n, worker):
        return [self.program, "--nproc", str(n), "--", *worker]

    def restarting(self, n, worker):
        return [self.program, "--nproc", str(n), "--max-restarts", "1", "--", *worker]

    def version(self):
        return self._first_line("--version")


class Hydra(Peer):
    name = "mpiexec.hydra"
    tag = "[%d] "

    def launch(self, n, worker):
        return [self.program, "-launcher", "fork", "-n", str(n), *worker]

    def tagged(self, n, worker):
        return [self.program, "-launcher", "fork", "-prepend-rank", "-n", str(n), *worker]

    def version(self):
        done = subprocess.run([self.program, "--version"], capture_output=True, text=True, timeout=30, check=False)
        for line in done.stdout.splitlines():
            if "Version:" in line:
                return "Hydra " + line.split(":")[1].strip()
        return "?"


class OpenMpi(Peer):
    name = "mpirun (Open MPI)"
    tag = "[1,%d]<stdout>:"
    rounds = 7

    def environment(self, folder):
        env = super().environment(folder)
        env.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
        return env

    def launch(self, n, worker):
        return [self.program, "--oversubscribe", "-np", str(n), *worker]

    def tagged(self, n, worker):
        return [self.program, "--oversubscribe", "--tag-output", "-np", str(n), *worker]

    def version(self):
        return self._first_line("--version")


class Torchrun(Peer):
    name = "torchrun"
    tag = "[default%d]:"
    rounds = 3
    deadline = 60.0        # its grace period alone is 30 s
    restarts = True
    note = "with --monitor_interval 0.1, newer versions' default"

    def _command(self, n, worker, *options, tee="9:1"):
        # -r 9:1 and -t 9:1 stand for "none": PyTorch 1.13 cannot read its own default, 0, under Python 3.11. Of more than
        # nine ranks one is redirected into a file then.
        return [self.program, "--nnodes", "1", "--nproc_per_node", str(n), "--monitor_interval", "0.1",
                "--master_port", str(free_port()), "-r", "9:1", "-t", tee, *options, "--no_python", *worker]

    def launch(self, n, worker):
        return self._command(n, worker)

    def tagged(self, n, worker):
        return self._command(n, worker, tee="1")

    def restarting(self, n, worker):
        return self._command(n, worker, "--max_restarts", "1")

    def version(self):
        python = shutil.which("python3", path="/usr/bin") or "python3"
        done = subprocess.run([python, "-c", "import torch; print('PyTorch', torch.__version__)"],
                              capture_output=True, text=True, timeout=60, check=False)
        return done.stdout.strip() or "?"


class Srun(Peer):
    name = "srun"
    tag = "%d: "
    rounds = 7
    workers_below = False  # but slurmd's
    note = "on a separate controller and node on this machine; slurmctld and slurmd are not counted as launcher"

    def __init__(self, program, configuration):
        super().__init__(program)
        self.configuration = configuration

    def environment(self, folder):
        env = super().environment(folder)
        env["SLURM_CONF"] = self.configuration
        return env

    def launch(self, n, worker):
        return [self.program, "-n", str(n), *worker]

    def tagged(self, n, worker):
        return [self.program, "-n", str(n), "--label", *worker]

    def failing(self, n, worker):
        return [self.program, "-n", str(n), "--kill-on-bad-exit=1", *worker]

    def version(self):
        done = subprocess.run([self.program, "--version"], env=self.environment("/tmp"), capture_output=True, text=True,
                              timeout=30, check=False)
        return done.stdout.strip() or "?"


class Parallel(Peer):
    name = "GNU parallel"
    tag = "%d\t"
    rounds = 7
    note = "with --lb --tag"

    def launch(self, n, worker):
        return [self.program, "--will-cite", "-j", str(n), "--lb", "--tag", *worker, ":::", *map(str, range(n))]

    def failing(self, n, worker):
        return [self.program, "--halt", "now,fail=1", *self.launch(n, worker)[1:]]

    def version(self):
        return self._first_line("--version")


def find(programs, ddp_launch, slurm_configuration):
    """(peers that are installed, names of those that are not). The bare loop and ddp-launch always come first."""
    peers = [Floor(os.path.join(programs, "floor")), DdpLaunch(ddp_launch)]
    missing = []
    for kind, program in ((Hydra, "mpiexec.hydra"), (OpenMpi, "mpirun.openmpi"), (Torchrun, "torchrun"),
                          (Parallel, "parallel")):
        # By full name: the plain mpiexec and mpirun belong to whichever package was installed last.
        path = shutil.which(program, path="/usr/bin:/usr/local/bin")
        if path is None:
            missing.append(kind.name)
        else:
            peers.append(kind(path))
    srun = shutil.which("srun", path="/usr/bin:/usr/local/bin")
    if srun is None or slurm_configuration is None:
        missing.append(Srun.name)
    else:
        peers.append(Srun(srun, slurm_configuration))
    return peers, missing
