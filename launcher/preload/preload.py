# The program of the preloader (launcher/preload/preloader.hpp): imports modules once, then forks
# every rank of every attempt. Standard library only.
#
# Descriptor 0 is the control socket. Answers: "ready <seconds>" or "refused <text>". Each request is
# one packet with flags and descriptors; a memory file has the command and the environment.
import array
import builtins
import ctypes
import gc
import importlib.util
import os
import signal
import socket
import struct
import sys
import time

OWN = "<ddp-launch preload>"  # the file name in this program's frames
PR_SET_PDEATHSIG, PR_SET_PTRACER = 1, 0x59616D61
FORK, SETUP = 0, 1  # where a start failed; as core::SpawnStage
LIBC = ctypes.CDLL(None, use_errno=True)
INITIAL = []  # the environment at the exec


class Refused(Exception):
    pass


# --- the imports


def main_directory(kind, target):
    """What Python puts first in sys.path for this program; None: nothing."""
    if getattr(sys.flags, "safe_path", False) or sys.flags.isolated:
        return None
    if kind == "module":
        return os.getcwd()
    path = os.path.realpath(target)
    return path if os.path.isdir(path) else os.path.dirname(path)


def loaded_libraries(word):
    paths = []
    with open("/proc/self/maps") as maps:
        for line in maps:
            path = line[line.find("/") :].strip() if "/" in line else ""
            if word in os.path.basename(path) and path not in paths:
                paths.append(path)
    return paths


def open_library(path):
    try:
        return ctypes.CDLL(path, mode=os.RTLD_NOLOAD | os.RTLD_NOW)
    except OSError:
        return None


def cuda_is_initialised():
    for path in loaded_libraries("libcuda.so"):
        library = open_library(path)
        count = ctypes.c_int(0)
        # 3 is CUDA_ERROR_NOT_INITIALIZED; any other answer needs the driver.
        if library is not None and library.cuDeviceGetCount(ctypes.byref(count)) != 3:
            return True
    return False


def check_forkable(module):
    threads = len(os.listdir("/proc/self/task"))
    if threads > 1:
        raise Refused(f"{module} runs {threads - 1} more thread(s), which a fork would lose")
    if cuda_is_initialised():
        raise Refused(f"{module} initialised the CUDA driver, which does not work after a fork")


def program_source(kind, target):
    path = target
    if kind == "module":
        spec = importlib.util.find_spec(target)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = importlib.util.find_spec(target + ".__main__")
        path = spec.origin if spec is not None else None
    elif os.path.isdir(target):
        path = os.path.join(target, "__main__.py")
    if path is None:
        return b""
    with open(path, "rb") as file:
        return file.read()


def top_level_imports(kind, target, directory):
    """The modules that the program imports at its top level, without those next to it."""
    import ast

    try:
        tree = ast.parse(program_source(kind, target))
    except (OSError, ImportError, SyntaxError, ValueError):
        return []  # the ranks report it
    names = []
    statements = list(tree.body)
    while statements:
        statement = statements.pop(0)
        if isinstance(statement, ast.Try):
            statements[:0] = statement.body
        elif isinstance(statement, ast.Import):
            names += [alias.name for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom) and statement.level == 0:
            names.append(statement.module)
    return [name for name in dict.fromkeys(names) if not is_near(name, directory)]


def is_near(name, directory):
    """Modules next to the program may act on a rank's environment when they are imported."""
    if name == "__future__" or directory is None:
        return name == "__future__"
    top = os.path.join(directory, name.partition(".")[0])
    return os.path.isdir(top) or os.path.exists(top + ".py")


def preload(modules, kind, target):
    if sys.implementation.name != "cpython" or sys.version_info < (3, 8):
        version = ".".join(map(str, sys.version_info[:3]))
        raise Refused(f"needs CPython 3.8 or later, not {sys.implementation.name} {version}")
    directory = main_directory(kind, target)
    if directory is None:
        sys.path[:] = [path for path in sys.path if path != ""]
    else:
        sys.path[0] = directory
    automatic = modules == ["auto"]
    check_forkable("Python itself")
    for name in top_level_imports(kind, target, directory) if automatic else modules:
        try:
            __import__(name)
        except Exception as error:
            if automatic:
                continue  # the program may handle it
            missing = isinstance(error, ModuleNotFoundError) and error.name == name
            why = "" if missing else f": {type(error).__name__}: {error}"
            what = f"{sys.executable} has no module named {name}" if missing else f"cannot import {name}"
            raise Refused(" ".join((what + why).split())[:500])
        check_forkable(name)


# --- a rank


def report(channel, kind, number):
    try:
        os.write(channel, struct.pack("=ii", kind, number))
    except OSError:
        pass  # the supervisor has given up on this start


def join_session(request, fds):
    """What ddp-launch's own spawn does between fork and exec."""
    # The preloader closes its end when the process in between is reaped: only then is the
    # supervisor the parent.
    os.read(request.reparented, 1)
    os.close(request.reparented)
    if os.getppid() != request.supervisor:
        os._exit(127)
    os.setsid()
    if request.dies and LIBC.prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_PDEATHSIG")
    if os.getppid() != request.supervisor:
        os._exit(127)
    if request.traceable:
        LIBC.prctl(PR_SET_PTRACER, ctypes.c_ulong(request.supervisor), 0, 0, 0)
    if request.cpus:
        os.sched_setaffinity(0, request.cpus)
    if request.nodes:
        prefer_memory_nodes(request)
    for number, fd in enumerate(fds[2:5]):
        os.dup2(fd, number)
        os.close(fd)
    if len(fds) > 5:
        try:
            os.write(fds[5], b"0")
        except OSError:
            pass  # as clone3 into a cgroup that refuses: it stays in the launcher's
        os.close(fds[5])


def prefer_memory_nodes(request):
    """As launcher/os/spawn.cpp, which says why."""
    words = [0] * (max(request.nodes) // 64 + 1)
    for node in request.nodes:
        words[node // 64] |= 1 << node % 64
    mask = (ctypes.c_uint64 * len(words))(*words)
    preferred, preferred_many = 1, 5
    for policy in (preferred_many, preferred):
        if LIBC.syscall(ctypes.c_long(request.set_mempolicy), ctypes.c_long(policy), mask,
                        ctypes.c_ulong(64 * len(words) + 1)) == 0:
            return
        if ctypes.get_errno() != 22:
            raise OSError(ctypes.get_errno(), "set_mempolicy")
        if len(request.nodes) > 1:
            return


class Request:
    pass


def become_rank(request, fds):
    """In the child: everything up to the program's first line."""
    channel = fds[0]
    try:
        join_session(request, fds)
    except OSError as error:
        report(channel, 1 + SETUP, error.errno or 0)
        os._exit(127)
    report(channel, 0, os.getpid())
    # Without this byte no program starts: the supervisor has started another process for the rank.
    try:
        started = os.read(channel, 1)
    except OSError:
        started = b""
    if not started:
        os._exit(127)
    os.close(channel)
    gc.enable()


def read_strings(fd):
    size = os.fstat(fd).st_size
    data = b""
    while len(data) < size:
        part = os.pread(fd, size - len(data), len(data))
        if not part:
            break
        data += part
    return data.split(b"\0")[:-1]


def own_words(name):
    with open("/proc/self/" + name, "rb") as file:
        return file.read().split(b"\0")[:-1]


def replace_environment(entries):
    # Python sets LC_CTYPE itself in the C locale (PEP 538).
    locale = os.environb.get(b"LC_CTYPE")
    if locale is not None and not any(word.startswith(b"LC_CTYPE=") for word in INITIAL):
        entries = [b"LC_CTYPE=" + locale] + entries
    os.environb.clear()
    for entry in entries:
        name, equals, value = entry.partition(b"=")
        if name and equals:
            os.environb[name] = value


def renew_standard_streams():
    # The objects for output stay, because modules keep them; only what depends on the descriptor is
    # set anew. The input was a socket, which cannot seek.
    if not getattr(sys.stdout, "write_through", True):
        sys.stdout.reconfigure(line_buffering=os.isatty(1))
    old = sys.__stdin__
    if old is not None:
        sys.stdin = sys.__stdin__ = open(
            0, "r", encoding=old.encoding, errors=old.errors, closefd=False)
        sys.stdin.buffer.raw.name = "<stdin>"


def renew_random_state():
    # random seeds itself at a fork.
    numpy = sys.modules.get("numpy.random")
    if numpy is not None:
        numpy.seed()
    # The generator of the CPU alone starts from an unpredictable seed, in a new process too.
    torch = sys.modules.get("torch")
    if hasattr(torch, "default_generator"):
        torch.default_generator.seed()
    processes = sys.modules.get("multiprocessing.process")
    if processes is not None:
        processes.current_process().authkey = os.urandom(32)


def thread_count(*names):
    for name in names:
        first = os.environ.get(name, "").partition(",")[0].strip()
        if first.isdigit() and int(first) > 0:
            return int(first)
    return len(os.sched_getaffinity(0))


def set_thread_counts():
    """The libraries were loaded with one thread each; the rank's own environment counts."""
    count = thread_count("OMP_NUM_THREADS")
    torch = sys.modules.get("torch")
    if count > 1:
        for path in loaded_libraries("libgomp"):
            library = open_library(path)
            if library is not None:
                library.omp_set_num_threads(count)
        if hasattr(torch, "set_num_threads"):
            torch.set_num_threads(count)
    count = thread_count("OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "OMP_NUM_THREADS")
    for path in loaded_libraries("openblas") if count > 1 else []:
        library = open_library(path)
        for name in ("openblas_set_num_threads", "openblas_set_num_threads64_",
                     "scipy_openblas_set_num_threads64_", "scipy_openblas_set_num_threads"):
            if hasattr(library, name):
                getattr(library, name)(count)


class MemoryMap(ctypes.Structure):
    """struct prctl_mm_map."""

    _fields_ = [(name, ctypes.c_uint64) for name in (
        "start_code", "end_code", "start_data", "end_data", "start_brk", "brk", "start_stack",
        "arg_start", "arg_end", "env_start", "env_end", "auxv")] + [
        ("auxv_size", ctypes.c_uint32), ("exe_fd", ctypes.c_uint32)]


KEPT = []  # memory that the kernel reads


def show_command(command, environment):
    """/proc/<pid>/cmdline and environ as after an exec: `ps` shows the program, and ddp-launch finds
    the rank of a daemon by its environment. Without effect where the kernel refuses."""
    with open("/proc/self/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()

    def field(number):  # as proc(5) counts them
        return int(fields[number - 3])

    arguments = b"".join(word + b"\0" for word in command)
    variables = b"".join(entry + b"\0" for entry in environment)
    memory = ctypes.create_string_buffer(arguments + variables)
    KEPT.append(memory)
    start = ctypes.addressof(memory)
    LIBC.sbrk.restype = ctypes.c_void_p
    middle = start + len(arguments)
    layout = MemoryMap(
        field(26), field(27), field(45), field(46), field(47), LIBC.sbrk(0), field(28),
        start, middle, middle, middle + len(variables), 0, 0, 0xFFFFFFFF)
    LIBC.prctl(35, ctypes.c_ulong(14), ctypes.byref(layout),
               ctypes.c_ulong(ctypes.sizeof(layout)), ctypes.c_ulong(0))


def main_namespace():
    namespace = sys.modules["__main__"].__dict__
    namespace.clear()
    namespace.update(
        __name__="__main__", __doc__=None, __package__=None, __loader__=None, __spec__=None,
        __annotations__={}, __builtins__=builtins)
    return namespace


def run_file(target, namespace):
    import pkgutil
    from importlib.machinery import SourceFileLoader

    path = os.path.abspath(target) if sys.version_info >= (3, 9) else target
    try:
        with open(path, "rb") as file:
            code = pkgutil.read_code(file)
            if code is None:
                file.seek(0)
                code = compile(file.read(), path, "exec", dont_inherit=True)
    except OSError as error:
        program = sys.orig_argv[0] if hasattr(sys, "orig_argv") else sys.executable
        text = f"{program}: can't open file {path!r}: [Errno {error.errno}] {error.strerror}\n"
        sys.stderr.write(text)
        sys.exit(2)
    namespace.update(__file__=path, __cached__=None, __loader__=SourceFileLoader("__main__", path))
    exec(code, namespace)


def run_program(kind, words):
    namespace = main_namespace()
    target = words[0]
    if kind == "script" and not os.path.isdir(target):
        import zipfile

        if not zipfile.is_zipfile(target):
            sys.argv[:] = words
            return run_file(target, namespace)
    import runpy

    if kind == "script":
        sys.argv[:] = words
        sys.path[0] = target
        return runpy._run_module_as_main("__main__", alter_argv=False)
    sys.argv[:] = ["-m"] + words[1:]
    return runpy._run_module_as_main(target)


def run_as_main(kind, words):
    """Runs the program and ends as Python does, without this program in the traceback."""
    try:
        run_program(kind, words)
    except SystemExit:
        raise
    except BaseException as error:
        traceback = error.__traceback__
        while traceback is not None and traceback.tb_frame.f_code.co_filename == OWN:
            traceback = traceback.tb_next
        error.__traceback__ = traceback
        sys.last_type, sys.last_value, sys.last_traceback = type(error), error, traceback
        try:
            sys.excepthook(type(error), error, traceback)
        except BaseException:
            sys.__excepthook__(*sys.exc_info())
        # Python's own end follows: threads, atexit, exit code 1, or SIGINT for KeyboardInterrupt.
        sys.excepthook = lambda *_: None
        error.__traceback__ = traceback
        raise


# --- the preloader


def receive(control):
    size = array.array("i").itemsize
    data, ancillary, _, _ = control.recvmsg(1 << 16, socket.CMSG_SPACE(8 * size),
                                            socket.MSG_CMSG_CLOEXEC)
    fds = array.array("i")
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(content[: len(content) - len(content) % size])
    return data, list(fds)


def fork_rank(request, fds):
    """True in the rank."""
    request.reparented, reaped = os.pipe()
    try:
        between = os.fork()
        if between == 0:
            try:
                if os.fork() != 0:
                    os._exit(0)
            except OSError as error:
                report(fds[0], 1 + FORK, error.errno)
                os._exit(1)
            os.close(reaped)
            return True
        for fd in fds:
            os.close(fd)
        fds.clear()
        os.waitpid(between, 0)
    except OSError as error:
        if fds:
            report(fds[0], 1 + FORK, error.errno)
    os.close(reaped)
    os.close(request.reparented)
    for fd in fds:
        os.close(fd)
    return False


def serve(control):
    """Returns in a rank alone."""
    while True:
        data, fds = receive(control)
        if not data:
            os._exit(0)
        request = Request()
        words = data.split()
        (request.supervisor, request.traceable, request.dies, request.count, request.target,
         module, request.set_mempolicy) = (int(word) for word in words[:7])
        request.cpus, request.nodes = (
            [] if word == b"-" else [int(number) for number in word.split(b",")]
            for word in words[7:9])
        request.kind = "module" if module else "script"
        if fork_rank(request, fds):
            become_rank(request, fds)
            strings = read_strings(fds[1])
            os.close(fds[1])
            return request, strings


def main(control, modules, kind, target):
    began = time.monotonic()
    directory = os.getcwd()
    INITIAL.extend(own_words("environ"))
    interpreter = own_words("cmdline")[0]  # with its directory, as a rank's is
    try:
        preload(modules, kind, target)
    except Refused as refused:
        control.send(b"refused " + str(refused).encode("utf-8", "replace"))
        os._exit(0)
    except (Exception, SystemExit) as error:
        text = f"{type(error).__name__}: {error}"
        control.send(b"refused " + " ".join(text.split())[:500].encode("utf-8", "replace"))
        os._exit(0)
    os.chdir(directory)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    LIBC.fflush(None)
    control.send(b"ready %.1f" % (time.monotonic() - began))
    # What is shared stays shared: no collection writes to it.
    gc.collect()
    gc.freeze()
    gc.disable()
    request, strings = serve(control)
    control.detach()
    command, environment = strings[: request.count], strings[request.count :]
    command[0] = interpreter
    replace_environment(environment)
    show_command(command, environment)
    renew_standard_streams()
    renew_random_state()
    set_thread_counts()
    words = [os.fsdecode(word) for word in command]
    if hasattr(sys, "orig_argv"):
        sys.orig_argv[:] = words
    run_as_main(request.kind, words[request.target :])
