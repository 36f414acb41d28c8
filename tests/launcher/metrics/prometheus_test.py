#!/usr/bin/env python3
"""Prometheus scrapes a launch, and promtool reads what it serves.

    prometheus_test.py DDP_LAUNCH HELPER

A real server, on a loopback port and with a temporary data directory, scrapes a launch of two ranks that are held, sees
both up, and after the end of a rank sees the restart. promtool checks the text and the alert rules of docs/metrics.md.
Without Debian's package prometheus the test is skipped.
"""
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

SECONDS = 60  # for each wait
DOCUMENT = pathlib.Path(__file__).resolve().parents[3] / "docs/metrics.md"


def wait_for(what, look):
    """The first true answer of `look`, which is asked again as long as there is none."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if answer := look():
            return answer
        time.sleep(0.05)
    raise TimeoutError(what)


def get(url):
    """The body, or nothing where the server does not answer with 200 yet."""
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as answer:
            return answer.read().decode()
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return None


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextlib.contextmanager
def running(*command, **more):
    with subprocess.Popen(command, **more) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def checked(promtool, *arguments, text=""):
    """promtool's complaints; it exits with 3 where it has some about style."""
    done = subprocess.run([promtool, *arguments], input=text, capture_output=True, text=True, timeout=SECONDS)
    return done.returncode, done.stdout + done.stderr


def blocks(name):
    """The files that docs/metrics.md shows: YAML blocks whose first line is a comment with the name."""
    found = re.search(rf"```yaml\n(# {re.escape(name)}\n.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    assert found, f"docs/metrics.md does not show {name}"
    return found[1]


class Server:
    def __init__(self, url):
        self.url = url

    def query(self, expression):
        """{labels of interest: value} of every series."""
        answer = get(f"{self.url}/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
        return json.loads(answer)["data"]["result"] if answer else []

    def value(self, expression):
        found = self.query(expression)
        return float(found[0]["value"][1]) if len(found) == 1 else None


def main():
    launch, helper = sys.argv[1:]
    prometheus, promtool = shutil.which("prometheus"), shutil.which("promtool")
    if not prometheus or not promtool:
        print("skipped: there is no prometheus")
        return 77
    with tempfile.TemporaryDirectory() as scratch:
        return check(launch, helper, prometheus, promtool, pathlib.Path(scratch))


def check(launch, helper, prometheus, promtool, scratch):
    kill, done, out = scratch / "kill", scratch / "done", scratch / "err"
    environment = os.environ | {"TMPDIR": str(scratch), "XDG_RUNTIME_DIR": str(scratch)}
    steps = ["notify", "READY=1\\nX_DDP_STEP=1\\nX_DDP_METRIC=loss=2.5", "tick", "5", "20", "[", "notify",
             "X_DDP_STEP={TICK}", "]", "on-generation", "0", "[", "on-rank", "1", "[", "wait-file", str(kill), "exit",
             "3", "]", "]", "wait-file", str(done)]
    with out.open("w") as err, running(
            launch, "--nproc", "2", "--metrics", "0", "--run-id", "r", "--max-restarts", "1", "--metrics-file",
            str(scratch / "run.prom"), "--", helper, *steps, stderr=err, env=environment) as run:
        address = wait_for("the address of the metrics", lambda: re.search(
            r"metrics are at http://(\S+)/metrics", out.read_text()))[1]
        text = wait_for("two ranks that are up", lambda: (
            lambda got: got if got and len(re.findall(r"(?m)^ddp_launch_rank_up\{.*\} 1$", got)) == 2 else None)(
                get(f"http://{address}/metrics")))
        code, complaints = checked(promtool, "check", "metrics", text=text)
        assert code == 0 and not complaints, complaints
        # The controls: a wrong text, and one that is only bad style.
        assert checked(promtool, "check", "metrics", text=text.replace('"} ', '} ', 1))[0] != 0
        assert checked(promtool, "check", "metrics", text=text.replace("restarts_total", "restarts"))[0] != 0

        rules = scratch / "ddp-launch.rules.yml"
        rules.write_text(blocks(rules.name))
        code, complaints = checked(promtool, "check", "rules", str(rules))
        assert code == 0, complaints
        config = scratch / "prometheus.yml"
        config.write_text(blocks(config.name).replace("127.0.0.1:9400", address).replace("15s", "200ms"))
        code, complaints = checked(promtool, "check", "config", str(config))
        assert code == 0, complaints

        port = free_port()
        with (scratch / "server").open("w") as log, running(
                prometheus, f"--config.file={config}", f"--storage.tsdb.path={scratch / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}", stdout=log, stderr=log) as server_process:
            server = Server(f"http://127.0.0.1:{port}")
            wait_for("Prometheus", lambda: get(f"{server.url}/-/ready") or server_process.poll() is not None)
            assert server_process.poll() is None, (scratch / "server").read_text()
            wait_for("two ranks up", lambda: server.value('sum(ddp_launch_rank_up{run_id="r"})') == 2)
            assert {one["metric"]["rank"] for one in server.query("ddp_launch_rank_up")} == {"0", "1"}
            wait_for("a loss", lambda: server.value('ddp_launch_rank_loss{rank="0"}') == 2.5)
            wait_for("steps", lambda: server.value("min(ddp_launch_rank_step_seconds_count)") == 4)
            assert server.value("sum(ddp_launch_restarts_total)") == 0
            kill.touch()
            wait_for("the restart", lambda: server.value("ddp_launch_restarts_total") == 1)
            wait_for("the failure", lambda: server.value('ddp_launch_failures_total{cause="exit 3"}') == 1)
            wait_for("the recovery", lambda: server.value("ddp_launch_failure_recovery_seconds_count") == 1)
            wait_for("both ranks again", lambda: server.value("sum(ddp_launch_rank_up)") == 2)
        done.touch()
        assert run.wait(SECONDS) == 0, out.read_text()
    text = (scratch / "run.prom").read_text()
    code, complaints = checked(promtool, "check", "metrics", text=text)
    assert code == 0 and not complaints, complaints
    assert 'ddp_launch_run_exit_code{run_id="r"} 0\n' in text
    return 0


if __name__ == "__main__":
    sys.exit(main())
