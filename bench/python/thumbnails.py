"""Pillow's thumbnails: python3 thumbnails.py FILE COUNT LARGEST METHOD; see bench/thumbnails.py."""

import io
import pathlib
import re
import resource
import sys

from PIL import Image, ImageOps


def thumbnails(data, method):
    # `thumbnail` has the JPEG decoder scale on load; its smaller ones are made of the larger.
    image = Image.open(io.BytesIO(data))
    made = []
    for edge in (1280, 480, 160):
        image.thumbnail((edge, edge), Image.Resampling.LANCZOS)
        image = ImageOps.exif_transpose(image)
        out = io.BytesIO()
        image.save(out, "WEBP", quality=78, method=method)
        made.append(out.getvalue())
    return made


def spent():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


data, count, method = pathlib.Path(sys.argv[1]).read_bytes(), int(sys.argv[2]), int(sys.argv[4])
made = thumbnails(data, method)
pathlib.Path(sys.argv[3]).write_bytes(made[0])
size = sum(map(len, made))
start = spent()
for _ in range(count):
    thumbnails(data, method)
milliseconds = (spent() - start) * 1000 / count
# The largest resident set that getrusage knows is at least that of who started this process.
peak = re.search(r"VmHWM:\s+(\d+) kB", pathlib.Path("/proc/self/status").read_text())
print(f"{milliseconds:.3f} {size} {int(peak[1]) * 1024}")
