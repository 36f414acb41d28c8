"""A Slurm of one node for the duration of the benchmark: controller and node daemon as the current user, on loopback
their own ports, without authentication. Both run below a helper that is a subreaper, so that all of Slurm's
processes can be distinguished from what a launcher left behind, and end with it.
"""

import os
import select
import shutil
import socket
import subprocess
import sys
import time

import processes

CONFIGURATION = """\
ClusterName=bench
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthType=auth/none
CredType=cred/none
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs=256 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


class LocalSlurm:
    """configuration: the path for SLURM_CONF, or None where Slurm is not installed or does not come up."""

    def __init__(self, folder):
        self.configuration = None
        self.helper = None
        self.why = ""
        daemons = [shutil.which(name, path="/usr/sbin:/usr/bin") for name in ("slurmctld", "slurmd")]
        if None in daemons:
            self.why = "slurmctld and slurmd are not installed"
            return
        for name in ("state", "spool"):
            os.makedirs(os.path.join(folder, name))
        sockets = [socket.socket() for _ in range(2)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        ports = [one.getsockname()[1] for one in sockets]
        for one in sockets:
            one.close()
        path = os.path.join(folder, "slurm.conf")
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        with open(path, "w", encoding="ascii") as file:
            file.write(CONFIGURATION.format(host=socket.gethostname(), ports=ports, user=user, folder=folder))
        self.helper = subprocess.Popen([sys.executable, __file__, path, *daemons], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)
        ready, _, _ = select.select([self.helper.stdout], [], [], 40)
        answer = self.helper.stdout.readline().decode().strip() if ready else "no answer within 40 s"
        if answer == "ready":
            self.configuration = path
        else:
            self.why = f"a Slurm of this machine's own did not come up: {answer}"
            self.close()

    def pids(self):
        return (self.helper.pid,) if self.helper else ()

    def close(self):
        if self.helper is None:
            return
        self.helper.stdin.close()  # the helper's order to end
        try:
            self.helper.wait(30)
        except subprocess.TimeoutExpired:
            self.helper.kill()
            self.helper.wait()
        self.helper = None


def serve(path, daemons):
    """The helper: starts the daemons, says "ready" when the node is idle, ends all of it when stdin ends."""
    processes.become_subreaper()
    environment = dict(os.environ, SLURM_CONF=path)
    null = subprocess.DEVNULL
    for command in ([daemons[0], "-D", "-i", "-f", path], [daemons[1], "-D", "-f", path, "-N", socket.gethostname()]):
        subprocess.Popen(command, env=environment, stdin=null, stdout=null, stderr=null)
    answer = "the node did not become idle"
    for _ in range(60):
        done = subprocess.run(["sinfo", "-h", "-o", "%t"], env=environment, capture_output=True, text=True, check=False)
        if done.stdout.strip() == "idle":
            answer = "ready"
            break
        time.sleep(0.5)
    print(answer, flush=True)
    sys.stdin.buffer.read()
    processes.clean_up()


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2:])
