"""What the doubles object to, each in a separate process. usage: misuse_test.py SIM_MISUSE"""
import os
import subprocess
import sys

MISUSE = 86
OBJECTIONS = {
    "allowed": None,
    "host-reads": "the host accessed device memory at byte 0 of an allocation of 400 bytes",
    "kernel-past-the-end": "the device accessed memory at byte 4496 of an allocation of 400 bytes",
    "kernel-next-to": "something was written next to an allocation of 404 bytes",
    "kernel-after-free": "the device accessed memory at byte 0 of an allocation of 400 bytes, which was freed",
    "free-twice": "cudaFree of what is not an allocation",
    "destroyed-stream": "a stream is used after it was destroyed",
    "destroyed-event": "an event is used after it was destroyed",
    "barrier-of-some": "a barrier that not all threads reach: 3 of 8 threads",
    "cuda-in-host-function": "CUDA is called from a host function of a stream",
    "product-past-the-end": "cublasGemmEx: A (10 x 11) is not within an allocation",
    "collective-while-connecting": "a collective on a communicator that is in progress",
    "collective-in-progress": "a collective on a communicator that is in progress",
    "other-counts": "the ranks call different collectives",
    "other-order": "the ranks call different collectives",
    "finalize-never-settled": "the process ends with a communicator that was not destroyed",
    "destroyed-unsettled": "ncclCommDestroy of a communicator that is in progress",
    "used-after-abort": "a communicator is used after it was aborted or destroyed",
    "used-after-destroy": "a communicator is used after it was aborted or destroyed",
    "buffer-of-the-host": "a buffer of a collective is not on its device",
    "buffer-of-another-device": "a buffer of a collective is not on its device",
    "two-threads": "two threads are in one communicator",
}


def main():
    program = sys.argv[1]
    listed = subprocess.run([program], capture_output=True, text=True, check=True).stdout.split()
    assert sorted(listed) == sorted(OBJECTIONS), set(listed) ^ set(OBJECTIONS)
    environment = dict(os.environ, DDP_SIM_DEVICES="2")
    environment.pop("CUDA_VISIBLE_DEVICES", None)
    before = set(os.listdir("/dev/shm"))
    for name, words in OBJECTIONS.items():
        done = subprocess.run([program, name], capture_output=True, text=True, timeout=60,
                              env=environment)
        expected = 0 if words is None else MISUSE
        assert done.returncode == expected, (name, done.returncode, done.stdout, done.stderr)
        assert words is None or f"gpu_sim: {words}" in done.stderr, (name, done.stderr)
        assert not [left for left in set(os.listdir("/dev/shm")) - before if "nccl" in left], name
        print(f"{name}: {done.stderr.splitlines()[0] if words else 'not objected to'}")


main()
