"""Finds the libraries of NVIDIA's that a build needs and the loader does not find by itself, where
pip and the CUDA toolkit put them."""
import glob
import os
import pathlib
import re
import site
import subprocess
import sys

SYSTEM = ("/usr/local/cuda/lib64", "/usr/local/cuda-*/lib64", "/usr/local/cuda*/targets/*/lib",
          "/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/opt/cuda/lib64", "/opt/nvidia/*/lib*")
NVIDIA = re.compile(r"lib(cuda|cublas|cublasLt|nccl|nvidia|cudart)[.\d-]*\.so")


def environment(*directories):
    """This process's, with these first in LD_LIBRARY_PATH."""
    env = dict(os.environ)
    path = [*map(str, directories), *filter(None, env.get("LD_LIBRARY_PATH", "").split(":"))]
    if path:
        env["LD_LIBRARY_PATH"] = ":".join(path)
    return env


def needed(program, env):
    """{library: its path, or None where the loader does not find it}. Throws OSError with what ldd
    says where the program is not one for this machine."""
    done = subprocess.run(["ldd", str(program)], capture_output=True, text=True, env=env, timeout=60)
    # A static program needs nothing.
    if done.returncode != 0 and "not a dynamic executable" not in done.stdout + done.stderr:
        raise OSError((done.stderr or done.stdout).strip())
    too_old = re.search(r"version `(GLIBC\S*)' not found", done.stdout + done.stderr)
    if too_old:
        raise OSError(f"{program} needs {too_old[1]}, which this machine's C library does not have")
    found = {}
    for name, path in re.findall(r"^\s*(\S+) => (.*?)(?: \(0x\w+\))?$", done.stdout, re.M):
        found[name] = None if path == "not found" else path
    return found


def candidates():
    """The directories that may have them, those of this Python's packages first."""
    packages = [*sys.path, *site.getsitepackages(), site.getusersitepackages()]
    for pattern in [*(f"{p}/nvidia/*/lib" for p in dict.fromkeys(packages) if p), *SYSTEM]:
        yield from sorted(glob.glob(pattern))


def find(programs):
    """(environment, the libraries that are nowhere)."""
    directories = []
    while True:
        env = environment(*directories)
        missing = sorted({name for program in programs
                          for name, path in needed(program, env).items() if path is None})
        found = [d for d in candidates() if d not in directories
                 and any((pathlib.Path(d) / name).exists() for name in missing)]
        if not found:
            return env, missing
        directories.append(found[0])


def bundled(programs, env):
    """The libraries, and their paths, that an archive has to bring along: neither glibc's, which
    must be the machine's, nor NVIDIA's."""
    glibc = re.compile(r"(libc|libm|libpthread|libdl|librt|libresolv|libutil|ld-linux.*)\.so")
    return {name: path for program in programs for name, path in needed(program, env).items()
            if path and not glibc.match(name) and not NVIDIA.match(name)}


def outside(program, directory):
    """{library: its path} of those that `directory` has and the loader takes from elsewhere, without
    an LD_LIBRARY_PATH."""
    env = {name: value for name, value in os.environ.items() if name != "LD_LIBRARY_PATH"}
    return {name: path for name, path in needed(program, env).items() if (directory / name).exists()
            and (path is None or not (directory / name).samefile(path))}


if __name__ == "__main__":  # for scripts/gpu-pack.sh
    if sys.argv[1] == "--inside":
        found = outside(sys.argv[3], pathlib.Path(sys.argv[2]))
        sys.exit("\n".join(f"{name}: {path or 'not found'}"
                           for name, path in sorted(found.items())) or 0)
    # The paths of what to bring along.
    print("\n".join(sorted(set(bundled(sys.argv[1:], environment()).values()))))
