#!/usr/bin/env python3
"""Install a list of packages from PyPI into a folder of their own: python3 local/pypi.py FOLDER LIST

Only wheels are taken, whose hashes the list holds (pin.py writes them): nothing of a package runs while it is
installed, and nobody can put other bytes in between. Of the caller's settings of pip the way to an index is kept, as
a mirror or a proxy needs, and of Python's nothing. Run again, it does nothing as long as the list is the same.
"""

import ast
import contextlib
import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import time

# The way to an index; PIP_USER, PIP_TARGET and the like would put packages elsewhere.
KEPT_OF_PIP = ("CACHE_DIR", "CERT", "CLIENT_CERT", "DEFAULT_TIMEOUT", "EXTRA_INDEX_URL", "FIND_LINKS", "INDEX_URL")
KEPT_OF_PIP += ("KEYRING_PROVIDER", "NO_INDEX", "PROXY", "RETRIES", "TIMEOUT", "TRUSTED_HOST")


class Failure(Exception):
    """What went wrong, and what to do about it."""


def install(folder, listed, what):
    """Make `folder` a virtual environment with all of `listed`, `what` it is named to the user, unless it is so."""
    version = ".".join(map(str, sys.version_info[:2]))
    if sys.version_info < (3, 10):
        raise Failure(f"Python 3.10 or newer is needed, and this is {version}", "name one: PYTHON=python3.12")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.parent / f"{folder.name}.lock"):
        stamp = folder / "installed"
        wanted = f"{version} {hashlib.sha256(listed.read_bytes()).hexdigest()}"
        if stamp.exists() and stamp.read_text() == wanted and (folder / "bin/python").exists():
            return
        began = time.monotonic()
        say(f"installing {what} into {folder} (once, up to a minute)")
        # A link to another place is not followed.
        folder.unlink() if folder.is_symlink() else shutil.rmtree(folder, ignore_errors=True)
        made = run([sys.executable, "-m", "venv", folder], subprocess.PIPE, subprocess.STDOUT)
        if made.returncode != 0:
            raise Failure(
                f"Python could not make a virtual environment:\n{made.stdout.strip()}",
                "install Python's venv and pip modules (Debian, Ubuntu: apt install python3-venv)",
            )
        pip = [folder / "bin/python", "-m", "pip"]
        settings = way_to_an_index(pip)
        pip += ["install", "--quiet", "--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:"]
        if run([*pip, "--requirement", listed], **settings).returncode != 0:
            raise Failure(
                f"pip could not install what {listed} lists; its message is above",
                "check the network (and PIP_INDEX_URL, where a mirror is used), then run this again",
            )
        stamp.write_text(wanted)
        say(f"installed in {time.monotonic() - began:.0f} s")


def way_to_an_index(pip):
    """What the caller's files and variables tell pip of it, as variables alone."""
    config = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    listed = run([*pip, "config", "list"], stdout=subprocess.PIPE, **config).stdout
    found = {}
    for line in listed.splitlines():
        # global.index-url='https://...'; a variable, which comes last, is in the section `:env:`.
        name, _, value = line.partition("=")
        section, _, name = name.rpartition(".")
        name = name.upper().replace("-", "_")
        if section in ("global", "install", ":env:") and name in KEPT_OF_PIP:
            found[f"PIP_{name}"] = str(ast.literal_eval(value))
    # No file of settings is read again.
    return {**found, "PIP_CONFIG_FILE": os.devnull}


def run(command, stdout=None, stderr=None, **settings):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
    return subprocess.run(command, env=environment | settings, text=True, stdout=stdout, stderr=stderr)


@contextlib.contextmanager
def locked(path):
    """One at a time: a second run waits for the first."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def say(message):
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    into, packages = (pathlib.Path(argument) for argument in sys.argv[1:3])
    try:
        install(into, packages, f"what {packages} lists")
    except Failure as failure:
        say("error: {}\nhint: {}".format(*failure.args))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
