"""The Debian packages that cpack makes: their contents, their dependencies, and that the launcher runs.

Usage: package_test.py BUILD_DIRECTORY VERSION
"""
import pathlib
import subprocess
import sys
import tempfile

build, version = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2]


def run(*command: str | pathlib.Path) -> str:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} exited with {done.returncode}:\n{done.stdout}")
    return done.stdout


def must(condition: bool, message: str) -> None:
    if not condition:
        sys.exit(f"package_test: {message}")


with tempfile.TemporaryDirectory() as temporary:
    out = pathlib.Path(temporary)
    run("cpack", "-G", "DEB", "--config", build / "CPackConfig.cmake", "-B", out)
    packages = {path.name.split("_")[0]: path for path in out.glob("*.deb")}
    worker = (build / "bin/worker").exists()
    expected = {"ddp-launch", "ddp-launch-dev"} | ({"ddp-launch-worker"} if worker else set())
    must(set(packages) == expected, f"packages {sorted(packages)}, expected {sorted(expected)}")

    files = {}
    for name, path in packages.items():
        must(run("dpkg-deb", "-f", path, "Version").strip() == version, f"{path.name}: version")
        root = out / name
        run("dpkg-deb", "-x", path, root)
        files[name] = {str(f.relative_to(root)) for f in root.rglob("*") if f.is_file()}
        must(all(f.startswith("usr/") for f in files[name]), f"{name} has files outside /usr")
    for name, wanted in {"ddp-launch": ["usr/bin/ddp-launch", "usr/bin/ddpctl", "usr/bin/ddp-devices", "usr/share/doc/ddp-launch/README.md",
                                        "usr/share/doc/ddp-launch/docs/README.md",
                                        "usr/share/doc/ddp-launch/examples/shell_worker.sh"],
                         "ddp-launch-dev": ["usr/include/ddp_launch/common/client/notifier.hpp"],
                         "ddp-launch-worker": ["usr/libexec/ddp-launch/worker"]}.items():
        for file in wanted if name in files else []:
            must(file in files[name], f"{name} lacks {file}")
            others = [other for other in files if other != name and file in files[other]]
            must(not others, f"{file} is in {others} too")

    depends = run("dpkg-deb", "-f", packages["ddp-launch"], "Depends").strip()
    static = b"INTERP" not in subprocess.check_output(["readelf", "-lW", out / "ddp-launch/usr/bin/ddp-launch"])
    must(static == (not depends), f"ddp-launch is {'static' if static else 'dynamic'} and depends on '{depends}'")
    if worker:
        depends = run("dpkg-deb", "-f", packages["ddp-launch-worker"], "Depends")
        must("libgloo" in depends and "libc6" in depends, f"the worker depends on '{depends}'")
    for program in ("ddp-launch", "ddpctl"):
        said = run(out / "ddp-launch/usr/bin" / program, "--version").strip()
        must(said == f"{program} {version}", f"the packaged {program} says '{said}'")
    print("package_test:", ", ".join(f"{name}: {len(files[name])} files" for name in sorted(files)))
