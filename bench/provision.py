#!/usr/bin/env python3
"""Time `provision` from nothing to nothing on an embedded AWS, as it is and with 100 ms added to each call.

Run by `make bench-provision`, which builds what is measured. Each figure is the best of ROUNDS, beside
what it should be; memory is the largest resident set that `apply` had.
"""

import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
ROUNDS = 3
# Seconds, without and with the added delay; and megabytes.
TARGETS = {
    "first apply": (0.8, 3.0),
    "no-op apply": (0.2, 0.8),
    "status": (0.3, None),
    "outputs": (0.3, None),
    "doctor": (1.0, None),
    "destroy": (0.5, 2.5),
}
MEMORY, BINARY = 60, 20
# Where the embedded AWS keeps its root key.
CREDENTIALS = []
DELAY = 0.1


def main():
    binary, functions = (pathlib.Path(argument) for argument in sys.argv[1:3])
    emulator = [sys.executable, ROOT / "local/emulator.py"]
    with tempfile.TemporaryDirectory() as folder:
        start = [*emulator, "start", "--dir", folder, "--port", "0", "--until", str(os.getpid())]
        upstream = subprocess.run(start, check=True, capture_output=True, text=True).stdout.strip()
        CREDENTIALS.append(f"{folder}/credentials")
        try:
            measure(binary, functions, upstream)
        finally:
            subprocess.run([*emulator, "stop", "--dir", folder], check=True, capture_output=True)


def measure(binary, functions, upstream):
    with slowed(upstream) as far:
        for name, endpoint, which in (("no delay", upstream, 0), ("100 ms a call", far, 1)):
            best, memory, ratio = {}, 0, 9.9
            for _ in range(ROUNDS):
                with tempfile.TemporaryDirectory() as state:
                    for what in (what for what, targets in TARGETS.items() if targets[which]):
                        command = what.split()[-1]
                        seconds, peak, said = run(binary, functions, endpoint, state, command)
                        best[what] = min(seconds, best.get(what, seconds))
                        memory = max(memory, peak)
                        if what == "first apply":
                            ratio = min(ratio, float(re.search(r"ratio ([0-9.]+)", said)[1]))
            for what, seconds in best.items():
                target = TARGETS[what][which]
                print(f"{name:14}  {what:12}  {seconds:6.2f} s   {seconds / target:5.2f} of the {target} s it may take")
            print(f"{name:14}  first apply   {ratio:6.2f}     times its critical path; it may be 1.2")
    print(f"{'memory':14}  apply         {memory:6.1f} MB  {memory / MEMORY:5.2f} of {MEMORY} MB")
    size = binary.stat().st_size / 1e6
    print(f"{'binary':14}  provision     {size:6.1f} MB  {size / BINARY:5.2f} of {BINARY} MB")


def run(binary, functions, endpoint, state, command):
    """Seconds, megabytes of the largest resident set, and what it said."""
    arguments = [binary, command, "--env", "bench", "--state-dir", state]
    if command in ("apply", "destroy"):
        arguments += ["--yes", "--timings"]
    if command in ("apply", "doctor"):
        arguments += ["--package", "zip", "--functions", functions]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": "us-east-1",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": CREDENTIALS[0],
    }
    with tempfile.TemporaryFile("w+") as said:
        begin = time.monotonic()
        # From a folder without a cloudpix.toml.
        process = subprocess.Popen(arguments, env=environment, cwd=state, stdout=said, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read()
    if process.returncode:
        sys.exit(f"provision {command}:\n{text}")
    return seconds, usage.ru_maxrss / 1000, text


class slowed:
    """microburst before the emulator, with DELAY on every call."""

    def __init__(self, upstream):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        program = [ROOT / ".local/venv/bin/python", ROOT / "tests/e2e/between.py"]
        command = [*program, "--upstream", upstream, "--port", str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        endpoint = f"http://127.0.0.1:{self.port}"
        rules = json.dumps([{"service": "*", "latency": DELAY * 1000}]).encode()
        for _ in range(100):
            try:
                with urllib.request.urlopen(urllib.request.Request(f"{endpoint}/_microburst/rules", rules)):
                    return endpoint
            except OSError:
                time.sleep(0.1)
        sys.exit("microburst does not start")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


main()
