#!/usr/bin/env python3
"""Install, start and stop the embedded AWS (MiniStack) that CloudPix runs on without an account.

Everything it makes lies in .local/ of the repository and in the folder given with --dir. It needs
nothing but Python's standard library. stdout carries the endpoint, stderr the progress.
"""

import argparse
import configparser
import contextlib
import hashlib
import json
import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pypi
from pypi import locked, say

START_SECONDS = 30
STOP_SECONDS = 20

HERE = pathlib.Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements.txt"
SERVER = HERE / "server.py"
# All that the server runs.
MODULES = ("branding", "gateway", "guard", "layers", "parity", "rotation", "sessions", "user_pools")
PARTS = (SERVER, *(HERE / f"{name}.py" for name in MODULES))
VENV = HERE.parent / ".local" / "venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "installed"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("install", help="make .local/venv from requirements.txt, unless it is so already")
    starting = commands.add_parser(
        "start",
        help="start it in the background and wait until it answers, with all that DIR holds",
        description="Start it in the background and wait until it answers. Run again, it says so and changes"
        " nothing; with another port, or after an upgrade, it is started anew on the same data.",
    )
    starting.add_argument("--port", type=int, default=4566, help="on 127.0.0.1; 0 picks a free one (default 4566)")
    starting.add_argument("--until", type=int, metavar="PID", help="stop by itself when process PID has ended")
    starting.add_argument("--host", action="append", default=[], help="a name besides localhost that it is asked by")
    stopping = commands.add_parser("stop", help="stop it and keep its data")
    asking = commands.add_parser("status", help="say whether it runs: exit code 0 yes, 3 no")
    for command in (starting, stopping, asking):
        command.add_argument("--dir", type=pathlib.Path, required=True, help="where it keeps its data, log and pid")

    arguments = parser.parse_args()
    if arguments.command == "install":
        try:
            pypi.install(VENV, REQUIREMENTS, "MiniStack")
        except pypi.Failure as failure:
            fail(*failure.args)
        return
    directory = arguments.dir.resolve()
    if arguments.command == "status":
        sys.exit(status(directory))
    if arguments.command == "stop" and not directory.exists():
        say("not running")
        return
    # What it holds are somebody's images, and a key to run code here: nobody else's to read.
    os.umask(0o077)
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o700)
    with locked(directory / "lock"):
        if arguments.command == "start":
            start(directory, arguments)
        else:
            stop(directory)


def start(directory, arguments):
    if not STAMP.exists():
        fail("MiniStack is not installed yet", f"run: python3 {HERE / 'emulator.py'} install")
    port, stamp = arguments.port, digest(REQUIREMENTS, *PARTS)
    running = server(directory)
    if running:
        asked = port in (0, running["port"])
        if asked and running["stamp"] == stamp and healthy(running["port"]):
            say(f"already running on port {running['port']} (process {running['pid']})")
            print(endpoint(running["port"]))
            return
        say("starting anew: " + ("it was upgraded or does not answer" if asked else f"port {port} is asked for"))
        stop(directory)
    end_leftovers(directory)
    port = free_port(port)

    log = directory / "ministack.log"
    command = [PYTHON, SERVER, "--port", str(port), "--dir", directory]
    command += [part for host in arguments.host for part in ("--host", host)]
    command += ["--until", str(arguments.until)] if arguments.until else []
    shutil.rmtree(directory / "tmp", ignore_errors=True)
    (directory / "tmp").mkdir()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=environment(directory, port),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    save(directory / "server.json", json.dumps({"pid": process.pid, "port": port, "stamp": stamp}))
    save(directory / "port", str(port))

    began = time.monotonic()
    while not healthy(port):
        ended = process.poll() is not None
        if ended or time.monotonic() - began > START_SECONDS:
            why = "ended at once" if ended else f"did not answer within {START_SECONDS} s"
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
            stop(directory)
            fail(f"MiniStack {why}; the end of {log}:\n{tail}", f"if its data is damaged: rm -r {directory}")
        time.sleep(0.05)
    say(f"MiniStack started on port {port} in {time.monotonic() - began:.1f} s (log: {log})")
    print(endpoint(port))


def stop(directory):
    running = server(directory)
    for kill in (signal.SIGTERM, signal.SIGKILL):
        if server(directory):
            os.kill(running["pid"], kill)
            deadline = time.monotonic() + STOP_SECONDS
            while server(directory) and time.monotonic() < deadline:
                time.sleep(0.05)
    say(f"stopped process {running['pid']}; its data is kept in {directory}" if running else "not running")
    end_leftovers(directory)
    (directory / "server.json").unlink(missing_ok=True)


def status(directory):
    running = server(directory)
    if not running:
        say("not running")
        return 3
    answers = healthy(running["port"])
    say(f"process {running['pid']} on port {running['port']}, {'healthy' if answers else 'does not answer'}")
    print(endpoint(running["port"]))
    return 0 if answers else 3


def credentials(directory):
    """The root user's key, in the format of AWS's own tools. It is made once and is this folder's alone."""
    path = directory / "credentials"
    if not path.exists():
        text = f"[default]\naws_access_key_id = cloudpix-local\naws_secret_access_key = {secrets.token_hex(20)}\n"
        save(path, text)
    kept = configparser.ConfigParser(interpolation=None)
    kept.read_string(path.read_text())
    return {name.upper(): value for name, value in kept["default"].items()}


def environment(directory, port):
    """What the server sees: none of the caller's AWS settings, and no path outside its folder."""
    kept = ("CLOUDTRAIL_RECORDING", "LANG", "LC_ALL", "LOG_LEVEL", "PATH", "TZ")
    kept += ("RUST_BACKTRACE", "RUST_LOG", "SSL_CERT_FILE")
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        "HOME": str(directory),
        "TMPDIR": str(directory / "tmp"),
        "STATE_DIR": str(directory / "state"),
        "S3_DATA_DIR": str(directory / "s3"),
        "PERSIST_STATE": "1",
        "S3_PERSIST": "1",
        "AUTH": "true",
        **credentials(directory),
        "AWS_ENDPOINT_URL": endpoint(port),
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_REGION": "us-east-1",
        # Listeners of services that CloudPix does not use, on ports of their own.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
    }


def server(directory):
    """What server.json says of this folder's server, if it runs; a recycled pid is not taken for it."""
    recorded = record(directory)
    for pid, _, command in processes() if recorded else ():
        if pid == recorded["pid"] and f"{SERVER} " in command and f"--dir {directory}" in command:
            return recorded
    return None


def end_leftovers(directory):
    """Kill the functions' processes, which outlive a server, stopped or killed.

    They are known by their process group, which is the server's, and their code, which lies here.
    """
    recorded = record(directory)
    for pid, group, command in processes() if recorded else ():
        if group == recorded["pid"] and f"{directory}/tmp/" in command:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def record(directory):
    with contextlib.suppress(FileNotFoundError, ValueError):
        return json.loads((directory / "server.json").read_text())
    return None


def processes():
    """(pid, process group, command line) of every process, from /proc or, without one, from ps."""
    if not os.path.exists("/proc/self/cmdline"):
        listing = subprocess.run(["ps", "-axo", "pid=,pgid=,command="], capture_output=True, text=True, check=True)
        for line in listing.stdout.splitlines():
            pid, group, command = line.split(None, 2)
            yield int(pid), int(group), command
        return
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):  # It ended meanwhile.
            command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
            yield int(pid), os.getpgid(int(pid)), command.decode(errors="replace")


def free_port(port):
    """The port, once it is known that a server can listen there; a free one for 0."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            fail(f"port {port} cannot be used: {reason}", "take another, such as: make local PORT=4600")
        return probe.getsockname()[1]


def healthy(port):
    with contextlib.suppress(OSError):
        # No proxy: the caller's HTTP_PROXY is not meant for this machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{port}/_ministack/health", timeout=5) as answer:
            return answer.status == 200
    return False


def endpoint(port):
    return f"http://localhost:{port}"


def save(path, text):
    temporary = path.with_suffix(".new")
    temporary.write_text(text)
    temporary.replace(path)


def digest(*paths):
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


def fail(message, hint):
    say(f"error: {message}\nhint: {hint}")
    sys.exit(1)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
