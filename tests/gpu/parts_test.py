"""The parts of the GPU check that need no GPU, not even a simulated one.
usage: parts_test.py
"""
import contextlib
import io
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from unittest import mock

TESTS = pathlib.Path(__file__).resolve().parents[1]
ROOT = TESTS.parent
sys.path[:0] = [str(TESTS / "gpu"), str(TESTS / "worker")]
import commands  # noqa: E402
import facts  # noqa: E402
import gpu_test  # noqa: E402

MIG = """GPU 0: NVIDIA H100 (UUID: GPU-11-22)
  MIG 1g.10gb     Device  0: (UUID: MIG-33)
  MIG 1g.10gb     Device  1: (UUID: MIG-44)
GPU 1: NVIDIA A100 (UUID: GPU-15)
"""


class Devices(unittest.TestCase):
    def seen(self, visible, answer=MIG):
        env = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
        with mock.patch.object(facts, "output_of", return_value=answer), \
                mock.patch.dict(os.environ, env), \
                mock.patch.object(facts.shutil, "which", return_value="nvidia-smi"):
            if visible is None:
                os.environ.pop("CUDA_VISIBLE_DEVICES", None)
            ways = [way.name for way in gpu_test.ways(2, len(facts.devices()))]
            return facts.devices(), facts.why_no_device(), "a device each" in ways

    def test_those_that_programs_see(self):
        h100, a100 = "NVIDIA H100", "NVIDIA A100"
        for visible, names in ((None, [h100, a100]), ("1", [a100]), ("1,0", [a100, h100]),
                               ("0,7,1", [h100]), ("GPU-15", [a100]), ("MIG-44", ["MIG"])):
            with self.subTest(visible=visible):
                self.assertEqual(self.seen(visible), (names, "", len(names) == 2))

    def test_none(self):
        for visible in ("", "-1", "GPU-1", "2"):  # GPU-1 begins two
            with self.subTest(visible=visible):
                names, why, _ = self.seen(visible)
                self.assertEqual(names, [])
                self.assertEqual(
                    why, f"CUDA_VISIBLE_DEVICES is '{visible}': none of the 2 GPUs here")
        self.assertEqual(self.seen(None, "")[1], "nvidia-smi -L lists no GPU here")
        with mock.patch.dict(os.environ, PATH="/nowhere"):
            self.assertIn("nvidia-smi is not on PATH", facts.why_no_device())


class PyTorch(unittest.TestCase):
    def test_the_last_line_counts(self):
        for printed, found in (('{"usable": true}\n', {"usable": True}), ("", None),
                               ('warning\n{"usable": false}\n', {"usable": False}),
                               ("no JSON\n", None)):
            with mock.patch.object(facts, "output_of", return_value=printed):
                self.assertEqual(facts.pytorch("python3", {}), found)


class Commit(unittest.TestCase):
    def test_only_of_what_was_built_here(self):
        build = pathlib.Path("/nowhere")
        with mock.patch.object(facts, "output_of", return_value="abc\n"):
            self.assertEqual(facts.build_facts(build, True)["commit"], "abc")
            self.assertEqual(facts.build_facts(build, False)["commit"], facts.UNKNOWN)


class Failures(unittest.TestCase):
    def test_one_leaves_the_rest_to_be_seen(self):
        """bf16 and the refusal of too many ranks fail; the others run."""
        class Launcher:
            def run(self, *_):
                return 0, [], ""

            def train(self, *_):
                raise AssertionError("no bf16 on this card")

        kept, printed = [], io.StringIO()
        with mock.patch.dict(gpu_test.PARTS, ranks=lambda *_: iter([{"difference": 0}])), \
                contextlib.redirect_stdout(printed):
            failures = gpu_test.examine(Launcher(), ["ranks"], (1, 2), 2, [], kept.extend)
        self.assertEqual(failures, 2, printed.getvalue())
        self.assertIn("FAILED: ranks, 1 rank(s), alone, bf16: no bf16 on this card",
                      printed.getvalue())
        self.assertEqual([row["devices"] for row in kept][0], "alone")
        self.assertEqual(kept[-1]["devices"], "a device each")


class Commands(unittest.TestCase):
    # It ignores SIGTERM, and prints its pid; the shell that started it is the command.
    DEAF = "(trap '' TERM; echo $BASHPID; exec sleep 600) & "

    def setUp(self):
        kept = {number: signal.getsignal(number) for number in commands.SIGNALS}
        self.addCleanup(lambda: [signal.signal(*each) for each in kept.items()])
        self.lines = commands.Lines()
        patched = mock.patch.object(commands, "GRACE", 0.3)
        patched.start()
        self.addCleanup(patched.stop)

    def run_one(self, script, seconds=30, say=lambda _: None):
        return commands.run(["bash", "-c", script], dict(os.environ), time.monotonic() + seconds,
                            io.StringIO(), self.lines, say)

    def assert_gone(self, pid):
        self.assertFalse(pathlib.Path(f"/proc/{pid}/stat").exists()
                         and pathlib.Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z")

    def test_exit_code_and_last_line(self):
        self.assertEqual(self.run_one("echo one; echo two; exit 5"), (5, "two"))
        self.assertEqual(self.run_one("kill -9 $$"), (-9, ""))

    def test_deadline(self):
        code, pid = self.run_one(self.DEAF + "wait", 2)
        self.assertIsNone(code)
        self.assert_gone(pid)

    def test_what_the_command_leaves_is_ended(self):
        pids = []
        code, _ = self.run_one(
            "(trap '' TERM; echo $BASHPID; exec sleep 600 >/dev/null 2>&1) & exit 0",
            say=lambda line: pids.append(line.strip()))
        self.assertEqual(code, 0)
        self.assert_gone(pids[0])

    def test_a_signal_ends_the_command_and_what_outlives_it(self):
        pids = []

        def say(line):
            pids.append(line.strip())
            os.kill(os.getpid(), signal.SIGTERM)

        # The shell dies at SIGTERM, what it started ignores it.
        with self.assertRaises(commands.Interrupted) as raised:
            self.run_one(self.DEAF + "wait", say=say)
        self.assertEqual(raised.exception.number, signal.SIGTERM)
        self.assert_gone(pids[0])
        with self.assertRaises(commands.Interrupted):  # and no further command runs
            self.run_one("sleep 600")


class Arguments(unittest.TestCase):
    def test_a_missing_value(self):
        for script, flags in (("gpu-check", ("--bin", "--results", "--python", "--only")),
                              ("gpu-pack", ("--bin", "--output", "--limit"))):
            for flag in flags:
                done = subprocess.run([ROOT / f"scripts/{script}.sh", flag], capture_output=True,
                                      text=True, timeout=60)
                self.assertEqual(done.returncode, 2, done)
                self.assertEqual(done.stderr.splitlines()[0], f"{script}: {flag} needs a value")
                self.assertIn(f"[{flag} ", done.stderr.splitlines()[1])


if __name__ == "__main__":
    unittest.main()
