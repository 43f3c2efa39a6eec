#!/usr/bin/env python3
"""Time `provision` from nothing to nothing on an embedded AWS, as it is and with 100 ms added to each call.

Run by `make bench-provision`, which builds what is measured. What it takes is judged by ratios, which hold on
any machine: the first apply against its own critical path, and the rest against a bare client that makes the
very same calls to the same emulator (replay.py). Of each, the best of ROUNDS counts; a ratio that is missed
ends it with 1. Memory is the largest resident set that `apply` had.
"""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

from replay import Recorder, replay

ROOT = pathlib.Path(__file__).resolve().parent.parent
ROUNDS = 5
CRITICAL_PATH, BARE_CLIENT = 1.2, 1.5
MEMORY, BINARY = 60, 20
# Where the embedded AWS keeps its root key.
CREDENTIALS = []
DELAY = 0.1
missed = []


def main():
    binary, functions = (pathlib.Path(argument) for argument in sys.argv[1:3])
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(binary, functions, pathlib.Path(folder))
        bench.first_apply()
        bench.reads()
        bench.destroy()
        bench.far_away()
        judge("memory", f"{bench.memory:6.1f} MB", bench.memory / MEMORY, 1.0, f"of {MEMORY} MB")
        size = binary.stat().st_size / 1e6
        judge("binary", f"{size:6.1f} MB", size / BINARY, 1.0, f"of {BINARY} MB")
    if missed:
        sys.exit(f"missed: {', '.join(missed)}")


def judge(what, figure, ratio, limit, of):
    print(f"{what:24}  {figure:>9}  {ratio:5.2f} {of}; it may be {limit}", flush=True)
    if ratio > limit:
        missed.append(what)


class emulator:
    """The embedded AWS on a folder of data."""

    def __init__(self, folder):
        self.command = [sys.executable, ROOT / "local/emulator.py"]
        self.folder = folder

    def __enter__(self):
        CREDENTIALS[:] = [f"{self.folder}/credentials"]
        start = [*self.command, "start", "--dir", self.folder, "--port", "0", "--until", str(os.getpid())]
        return subprocess.run(start, check=True, capture_output=True, text=True).stdout.strip()

    def __exit__(self, *_):
        subprocess.run([*self.command, "stop", "--dir", self.folder], check=True, capture_output=True)


class Bench:
    def __init__(self, binary, functions, folder):
        self.binary, self.functions, self.folder, self.memory = binary, functions, folder, 0

    def run(self, endpoint, state, command):
        seconds, peak, said = run(self.binary, self.functions, endpoint, state, command)
        self.memory = max(self.memory, peak)
        return seconds, said

    def first_apply(self):
        """From nothing; the last one stays, as AWS and as state, for what follows."""
        best, path = 9e9, 9e9
        for number in range(ROUNDS):
            self.aws, self.state = self.folder / f"aws{number}", self.folder / f"state{number}"
            self.state.mkdir()
            with emulator(self.aws) as endpoint:
                seconds, said = self.run(endpoint, self.state, "apply")
            best, path = min(best, seconds), min(path, ratio(said))
        judge("first apply", f"{best:6.2f} s", path, CRITICAL_PATH, "times its critical path")

    def reads(self):
        """What changes nothing, and so can be done again and again. They take turns with the bare client."""
        with emulator(self.aws) as endpoint:
            for what, command in (("no-op apply", "apply"), ("status", "status")):
                with Recorder(endpoint) as recording:
                    self.run(recording.endpoint, self.state, command)
                ours, bare, same = 9e9, 9e9, True
                for _ in range(ROUNDS):
                    ours = min(ours, self.run(endpoint, self.state, command)[0])
                    seconds, others = replay(recording.calls, endpoint)
                    bare, same = min(bare, seconds), same and not others
                self.compare(what, ours, bare, recording.calls, same)
            for command in ("outputs", "doctor"):
                best = min(self.run(endpoint, self.state, command)[0] for _ in range(ROUNDS))
                print(f"{command:24}  {best:6.2f} s")

    def destroy(self):
        """Each time from a copy of the same AWS: the recorded calls name its ids."""
        ours, bare, same, calls = 9e9, 9e9, True, None
        for number in range(ROUNDS + 1):
            with emulator(self.copy("ours")) as endpoint:
                if calls is None:
                    with Recorder(endpoint) as recording:
                        self.run(recording.endpoint, self.copied_state(), "destroy")
                    calls = recording.calls
                    continue
                ours = min(ours, self.run(endpoint, self.copied_state(), "destroy")[0])
            with emulator(self.copy("bare")) as endpoint:
                seconds, others = replay(calls, endpoint)
                bare, same = min(bare, seconds), same and not others
        self.compare("destroy", ours, bare, calls, same)

    def compare(self, what, ours, bare, calls, same):
        of = f"times a bare client's {bare:.3f} s for the same {len(calls)} calls"
        judge(what, f"{ours:6.2f} s", ours / bare, BARE_CLIENT, of)
        if not same:
            # Such as where something is asked for until it is gone.
            print(f"{what:24}  some of the bare client's calls were answered otherwise")
        if "--calls" in sys.argv:
            for call in sorted(calls, key=lambda call: call.name):
                print(f"    {call.status} {call.name}")

    def copy(self, name):
        to = self.folder / name
        shutil.rmtree(to, ignore_errors=True)
        return shutil.copytree(self.aws, to)

    def copied_state(self):
        to = self.folder / "state"
        shutil.rmtree(to, ignore_errors=True)
        return shutil.copytree(self.state, to)

    def far_away(self):
        """A call takes 100 ms more, so that what waits for what is most of the time."""
        best, path = {}, 9e9
        with emulator(self.folder / "far") as upstream, slowed(upstream) as endpoint:
            for number in range(2):
                state = self.folder / f"far{number}"
                state.mkdir()
                for what in ("first apply", "no-op apply", "destroy"):
                    seconds, said = self.run(endpoint, state, what.split()[-1])
                    best[what] = min(seconds, best.get(what, seconds))
                    path = min(path, ratio(said)) if what == "first apply" else path
        first = best.pop("first apply")
        judge("first apply, 100 ms away", f"{first:6.2f} s", path, CRITICAL_PATH, "times its critical path")
        for what, seconds in best.items():
            print(f"{what + ', 100 ms away':24}  {seconds:6.2f} s")


def ratio(said):
    return float(re.search(r"ratio ([0-9.]+)", said)[1])


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
        # What there was before people could sign in, so that times can be compared.
        pathlib.Path(state, "cloudpix.toml").write_text('[defaults]\nauth = "api-key"\n')
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


if __name__ == "__main__":
    main()
