"""Programs that stand for those of Slurm, on this machine.

    python slurm_programs.py NAME WORD...

``install`` makes them as executables of a folder. They do what submitit wants
of them, in the way of Slurm's own: a job is a script that is run in the
background, of which the standard streams are files; it is queued again when it
asked for it; a signal reaches all of its processes but the script's shell.
"""

import os
import pathlib
import shlex
import signal
import subprocess
import sys

import process_tree

NAMES = ("sbatch", "srun", "sacct", "scontrol", "scancel")


def install(folder):
    """Makes the programs; gives the folder for PATH."""
    programs = folder / "slurm"
    programs.mkdir()
    for name in NAMES:
        words = [sys.executable, str(pathlib.Path(__file__).resolve()), name]
        file = programs / name
        file.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
        file.chmod(0o755)
    return programs


def _state():
    """Where the jobs' states are kept."""
    folder = pathlib.Path(os.environ["SLURM_MADE_FOLDER"])
    folder.mkdir(exist_ok=True)
    return folder


def _put(name, text):
    """Writes whole or not at all: others read at any time."""
    new = _state() / f"{name}.{os.getpid()}.new"
    new.write_text(text)
    new.rename(_state() / name)


def sbatch(script):
    number = 100 + len(list(_state().glob("*.state")))
    _put(f"{number}.state", "PENDING")
    words = [sys.executable, __file__, "job", str(number), script]
    # Slurm has what the script says now, not later.
    text = pathlib.Path(script).read_text()
    _put(f"{number}.sh", text)
    with open(os.devnull, "r+") as nothing:
        subprocess.Popen(
            words,
            stdin=nothing,
            stdout=nothing,
            stderr=nothing,
            start_new_session=True,
        )
    print(f"Submitted batch job {number}")


def job(number, _):
    """A job from its start to its end, however often it is queued again."""
    script = _state() / f"{number}.sh"
    options = {}
    for line in script.read_text().splitlines():
        if line.startswith("#SBATCH --"):
            (word,) = shlex.split(line.removeprefix("#SBATCH "))
            name, _, value = word.partition("=")
            options[name] = value.replace("%j", number)
    environment = {**os.environ, "SLURM_JOB_ID": number, "SLURM_NTASKS": "1"}
    again = _state() / f"{number}.again"
    while True:
        _put(f"{number}.state", "RUNNING")
        with open(options["--output"], "a") as out:
            shell = subprocess.Popen(
                ["bash", str(script)], env=environment, stdout=out, stderr=out
            )
            _put(f"{number}.shell", str(shell.pid))
            code = shell.wait()
        if not again.exists():
            break
        _put(f"{number}.state", "REQUEUED")
        again.unlink()
    _put(f"{number}.state", "FAILED" if code else "COMPLETED")


def srun(*words):
    signal.signal(signal.SIGUSR2, lambda *_: None)  # it is for the others
    left = list(words)
    files = {}
    while left[0].startswith("--"):
        name = left.pop(0)
        if name in ("--output", "--error"):
            number = os.environ["SLURM_JOB_ID"]
            text = left.pop(0).replace("%j", number).replace("%t", "0")
            files[name] = text
    with (
        open(files["--output"], "a") as out,
        open(files["--error"], "a") as err,
    ):
        done = subprocess.run(left, stdout=out, stderr=err)
    sys.exit(done.returncode % 256)


def sacct(*words):
    print("JobID|State|NodeList")
    for flag, number in zip(words, words[1:], strict=False):
        file = _state() / f"{number}.state"
        if flag == "-j" and file.exists():
            print(f"{number}|{file.read_text()}|here")


def scontrol(_, number):
    _put(f"{number}.again", "")


def scancel(number, *words):
    kind = words[1] if words else "SIGTERM"
    shell = int((_state() / f"{number}.shell").read_text())
    for pid in process_tree.below(shell):
        os.kill(pid, getattr(signal, f"SIG{kind.removeprefix('SIG')}"))


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
