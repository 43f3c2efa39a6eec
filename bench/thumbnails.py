"""Thumbnails beside sharp's and Pillow's, by CPU time, and their peak memory.

python3 bench/thumbnails.py --ours PROGRAM --sharp FOLDER [--rounds 5]; `make bench-thumbnails` runs it.

Each makes 160, 480 and 1280 pixels, WebP of quality 78 and method 2, upright, many images a
process and the processes in turn, by CPU time of all their threads, and of the child that we start for each
image. PSNR is of the largest, against the
whole picture scaled by Lanczos. The last lines are images per CPU second, ours over theirs.
"""

import argparse
import multiprocessing
import pathlib
import statistics
import subprocess
import sys
import tempfile

import numpy
from PIL import Image

HERE = pathlib.Path(__file__).parent
IMAGES = HERE.parent / "tests" / "images"


def photograph(path, width, height, progressive=False):
    """A JPEG of two photographs in four turns, with the noise of a sensor: 3 to 8 MB."""
    half = (width // 2, height // 2)
    coffee = Image.open(IMAGES / "coffee.jpg").convert("RGB").resize(half, Image.Resampling.BICUBIC)
    rocket = Image.open(IMAGES / "rocket.png").convert("RGB").resize(half, Image.Resampling.BICUBIC)
    turned = Image.Transpose
    canvas = Image.new("RGB", (width, height))
    canvas.paste(coffee, (0, 0))
    canvas.paste(rocket, (half[0], 0))
    canvas.paste(rocket.transpose(turned.FLIP_LEFT_RIGHT), (0, half[1]))
    canvas.paste(coffee.transpose(turned.FLIP_TOP_BOTTOM), half)
    noise = numpy.random.default_rng(7).normal(0, 5, (height, width, 1)).astype(numpy.int16)
    pixels = numpy.clip(numpy.asarray(canvas) + noise, 0, 255).astype(numpy.uint8)
    Image.fromarray(pixels).save(path, quality=90, subsampling=2, progressive=progressive)


def run(command):
    """CPU milliseconds an image, bytes of its thumbnails, and peak memory in bytes; of ours, CPU and wall
    milliseconds of a child without a picture, too."""
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(out[0]), int(out[1]), int(out[2]), *map(float, out[3:])


def psnr(reference, file):
    """Of 8-bit RGB, in dB: higher is nearer."""
    difference = numpy.asarray(Image.open(file).convert("RGB"), numpy.float64) - reference
    return 10 * numpy.log10(255**2 / (difference**2).mean())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ours", required=True)
    parser.add_argument("--sharp", required=True, help="folder with node_modules")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=8, help="a process and round")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        files = {"12": folder / "12.jpg", "24 megapixels": folder / "24.jpg", "24 megapixels, progressive": folder / "24p.jpg"}
        # In a process of its own: a child's peak memory begins at its parent's.
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            pool.starmap(
                photograph,
                [(files["12"], 4000, 3000), (files["24 megapixels"], 6000, 4000), (files["24 megapixels, progressive"], 6000, 4000, True)],
            )
        compare(args, files)


def compare(args, files):
    file, count, largest = str(files["12"]), str(args.images), files["12"].parent / "largest.webp"
    sharp = ["node", str(pathlib.Path(args.sharp) / "thumbnails.mjs"), file, count, str(largest)]
    pillow = [sys.executable, str(HERE / "python" / "thumbnails.py"), file, count, str(largest)]
    contestants = {
        "CloudPix": [args.ours, file, count, str(largest)],
        "sharp, from the file": [*sharp, "file", "2"],
        "sharp, clone()": [*sharp, "clone", "2"],
        "sharp, effort 4": [*sharp, "file", "4"],
        "Pillow": [*pillow, "2"],
        "Pillow, method 4": [*pillow, "4"],
    }
    reference = numpy.asarray(Image.open(file).resize((1280, 960), Image.Resampling.LANCZOS), numpy.float64)
    results, quality = {name: [] for name in contestants}, {}
    for _ in range(args.rounds):
        for name, command in contestants.items():
            results[name].append(run(command))
            quality[name] = psnr(reference, largest)
    cpu = {name: statistics.median(result[0] for result in runs) for name, runs in results.items()}
    print(f"12 megapixels, {files['12'].stat().st_size / 1e6:.1f} MB of JPEG")
    print(f"{'':22}{'CPU ms':>8}{'thumbnails':>12}{'PSNR dB':>9}{'peak MB':>9}")
    for name, runs in results.items():
        peak = max(result[2] for result in runs) / 1e6
        print(f"{name:22}{cpu[name]:8.1f}{runs[0][1]:10} B{quality[name]:9.2f}{peak:9.0f}")
    for name in ("24 megapixels", "24 megapixels, progressive"):
        peak = run([args.ours, str(files[name]), "1", str(largest)])[2]
        size = files[name].stat().st_size / 1e6
        print(f"{name}, {size:.1f} MB of JPEG: peak memory {peak / 1e6:.0f} MB")
    start, wall = (statistics.median(result[at] for result in results["CloudPix"]) for at in (3, 4))
    print(f"a child without a picture: {start:.1f} ms of CPU, {wall:.1f} ms")
    ours = cpu["CloudPix"]
    print(f"sharp {min(cpu['sharp, from the file'], cpu['sharp, clone()']) / ours:.2f}x")
    print(f"Pillow {cpu['Pillow'] / ours:.2f}x")


if __name__ == "__main__":
    main()
