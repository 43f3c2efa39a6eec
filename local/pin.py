#!/usr/bin/env python3
"""Write the hashes into a list of packages from PyPI: python3 local/pin.py local/requirements.txt

For each line such as `yarl==1.25.1` it puts below what pip holds a download against: the wheels for Linux and macOS on
x86-64 and ARM, CPython 3.10 and newer. It stops where something that a package needs has no line of its own. uv, which
reads the index, comes from PyPI into a folder that is thrown away.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile
import tomllib
import venv

PIN = re.compile(r"(?P<name>[\w.-]+)==(?P<version>[\w.]+)(?:; *(?P<marker>[^\\]+?))?(?: \\)?$")
PLATFORMS = r"any|(?:manylinux|musllinux|linux).*_(?:x86_64|aarch64)|macosx_.*_(?:x86_64|arm64|universal2)"
# A wheel's name ends with interpreter, ABI and platform.
# https://packaging.python.org/en/latest/specifications/binary-distribution-format/
WHEEL = re.compile(
    rf"-(?:(?:py2\.)?py3\d*|cp3\d+)-(?:none|abi3|cp31\d)-(?:{PLATFORMS})\.whl$"
)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("--python", default="3.10", help="the oldest one that it is for (default 3.10)")
    arguments = parser.parse_args()
    lines = [line for line in arguments.file.read_text().splitlines() if not line.startswith("    --hash=")]
    pinned = {(name(pin["name"]), pin["version"]) for pin in map(PIN.match, lines) if pin}
    with tempfile.TemporaryDirectory() as folder:
        hashes = look_up(pathlib.Path(folder), lines, arguments.python)
    if missing := set(hashes) - pinned:
        sys.exit(f"not listed, and needed: {sorted('=='.join(pair) for pair in missing)}")
    if missing := [pair for pair in pinned if not hashes.get(pair)]:
        sys.exit(f"there is no wheel of {sorted('=='.join(pair) for pair in missing)}")
    arguments.file.write_text("".join(written(line, hashes) for line in lines))


def look_up(folder, lines, python):
    """{(name, version): hashes of its wheels} of all that the list asks for and what these need."""
    venv.create(folder / "uv", with_pip=True)
    programs, wanted, found = folder / "uv/bin", folder / "wanted.txt", folder / "pylock.toml"
    subprocess.run([programs / "pip", "install", "--quiet", "uv"], check=True)
    wanted.write_text("\n".join(line.removesuffix(" \\") for line in lines))
    command = [programs / "uv", "pip", "compile", wanted, "--universal", "--python-version", python, "--quiet"]
    subprocess.run([*command, "--only-binary", ":all:", "--format", "pylock.toml", "-o", found], check=True)
    packages = tomllib.loads(found.read_text())["packages"]
    # What only Windows needs, where none of this runs.
    packages = [package for package in packages if "win32" not in package.get("marker", "")]
    return {(name(package["name"]), package["version"]): wheels(package) for package in packages}


def wheels(package):
    files = [(wheel.get("name") or wheel["url"].rpartition("/")[2], wheel) for wheel in package["wheels"]]
    return sorted(wheel["hashes"]["sha256"] for file, wheel in files if WHEEL.search(file))


def written(line, hashes):
    pin = PIN.match(line)
    if not pin:
        return f"{line}\n"
    line = line.removesuffix(" \\")
    return " \\\n".join([line, *(f"    --hash=sha256:{it}" for it in hashes[name(pin["name"]), pin["version"]])]) + "\n"


def name(text):
    """As PyPI compares names."""
    return re.sub(r"[-_.]+", "-", text).lower()


if __name__ == "__main__":
    main()
