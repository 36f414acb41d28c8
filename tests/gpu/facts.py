"""What a results page says of where it comes from: the card, its driver, libraries, the build. What
cannot be found out is "not known".
usage: facts.py BUILD [--built-here]    prints the facts of a build as JSON, for scripts/gpu-pack.sh
"""
import ctypes
import datetime
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNKNOWN = "not known"
# With this a double of the CUDA runtime begins the name of its device.
SIMULATED = "Simulated"


def output_of(command, env=None, timeout=120):
    """Standard output, empty where the command fails or is not there."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=env)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def listed():
    """[(index, or None for a MIG device; name; UUID)], by nvidia-smi."""
    found = re.findall(r"^ *(?:GPU (\d+)|MIG .*? Device +\d+): ?(.*?) ?(?:\(UUID: (.*)\))?$",
                       output_of(["nvidia-smi", "-L"]), re.M)
    return [(int(index) if index else None, name or "MIG", uuid) for index, name, uuid in found]


def devices():
    """The names of the devices that programs see: as CUDA reads CUDA_VISIBLE_DEVICES, its first entry
    that is no device ends it."""
    everything = listed()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return [name for index, name, _ in everything if index is not None]
    names = []
    for entry in visible.split(","):
        entry = entry.strip()
        # The beginning of a UUID is enough.
        named = [name for index, name, uuid in everything
                 if entry == str(index) or (entry.startswith(("GPU-", "MIG-")) and uuid.startswith(entry))]
        if len(named) != 1:
            break
        names += named
    return names


def why_no_device():
    """Empty where there is one."""
    if shutil.which("nvidia-smi") is None:
        return "nvidia-smi is not on PATH: no GPU, or no driver"
    everything = sum(index is not None for index, _, _ in listed())
    if not everything:
        return "nvidia-smi -L lists no GPU here"
    if not devices():
        return (f"CUDA_VISIBLE_DEVICES is '{os.environ['CUDA_VISIBLE_DEVICES']}': none of the "
                f"{everything} GPUs here")
    return ""


def driver():
    found = output_of(["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"])
    number = re.match(r"\d+\.\d+[.\d]*\s*$", found.partition("\n")[0])
    return number[0].strip() if number else UNKNOWN


def ask(library, function):
    """The version that `function` of `library` stores; 0 where there is none."""
    version = ctypes.c_int(0)
    try:
        result = getattr(ctypes.CDLL(library), function)(ctypes.byref(version))
    except (OSError, AttributeError):
        return 0
    return version.value if result == 0 else 0


def cuda_text(version):
    return f"{version // 1000}.{version % 1000 // 10}" if version else UNKNOWN


def nccl_text(version):
    major = 10000 if version >= 10000 else 1000
    return (f"{version // major}.{version % major // 100}.{version % 100}" if version else UNKNOWN)


def nccl_version():
    """As NCCL numbers it: 22809 is 2.28.9."""
    return ask("libnccl.so.2", "ncclGetVersion")


def cublas_text(name):
    if name is None:
        return UNKNOWN
    try:
        property_of = ctypes.CDLL(name).cublasGetProperty
    except (OSError, AttributeError):
        return UNKNOWN
    parts = []
    for which in range(3):  # major, minor, patch
        value = ctypes.c_int(0)
        if property_of(which, ctypes.byref(value)) != 0:
            return UNKNOWN
        parts.append(str(value.value))
    return ".".join(parts)


def libraries(cublas):
    """Of this process's LD_LIBRARY_PATH, so ask in a process that was started with the right one."""
    return {"cuda_driver": cuda_text(ask("libcuda.so.1", "cuDriverGetVersion")),
            "nccl": nccl_text(nccl_version()), "cublas": cublas_text(cublas)}


def pytorch(python, env):
    """{"version", "cuda", "nccl", "usable"}, or None where there is none."""
    program = ("import json, torch\n"
               "cuda = torch.cuda.is_available()\n"
               "nccl = '.'.join(map(str, torch.cuda.nccl.version())) if cuda else None\n"
               "print(json.dumps({'version': torch.__version__, 'cuda': torch.version.cuda,"
               " 'nccl': nccl, 'usable': cuda}))")
    # Packages may print as they are imported.
    lines = output_of([python, "-c", program], env).splitlines() or [""]
    try:
        return json.loads(lines[-1])
    except ValueError:
        return None


def toolkit(build):
    """The version of the CUDA toolkit that `build` was made with."""
    cache = build / "CMakeCache.txt"
    nvcc = re.search(r"^CMAKE_CUDA_COMPILER:\w+=(.+)$", cache.read_text(), re.M) if cache.exists() \
        else None
    release = re.search(r"release ([\d.]+)", output_of([nvcc[1], "--version"])) if nvcc else None
    return release[1] if release else UNKNOWN


def build_facts(build, built_here):
    """Those of the archive, or of `build`, whose commit is the repository's where it was `built_here`
    and now."""
    packed = ROOT / "BUILD.json"
    if packed.exists() and build == ROOT / "build":
        return json.loads(packed.read_text())
    commit = output_of(["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]) \
        if built_here else ""
    return {"commit": commit.strip() or UNKNOWN, "cuda_toolkit": toolkit(build)}


def collect(build, built_here, python, env, cublas):
    names = devices()
    asked = output_of([sys.executable, __file__, "--libraries", cublas or ""], env)
    torch = pytorch(python, env)
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        **build_facts(build, built_here),
        "devices": names, "driver": driver(),
        **(json.loads(asked) if asked else {}),
        "pytorch": torch, "cpus": os.cpu_count(),
        "rehearsal": any(name.startswith(SIMULATED) for name in names)}


if __name__ == "__main__":
    if sys.argv[1] == "--libraries":
        print(json.dumps(libraries(sys.argv[2] or None)))
    else:
        print(json.dumps(build_facts(pathlib.Path(sys.argv[1]), "--built-here" in sys.argv[2:]),
                         indent=1))
