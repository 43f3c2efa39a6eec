"""Times from the PUT of a 12-megapixel JPEG until it is ready and has its thumbnails, on the local system.

provision outputs --json | python3 bench/arrival.py KEY; `make bench-arrival` runs it.
"""

import json
import pathlib
import statistics
import sys
import tempfile
import time
import urllib.request

from thumbnails import photograph

ROUNDS = 7
# Seconds between two looks, which bounds what a time is off by.
PAUSE = 0.01


def call(method, url, headers, body=None):
    with urllib.request.urlopen(urllib.request.Request(url, body, headers, method=method), timeout=30) as answer:
        return answer.read()


def main():
    outputs = json.load(sys.stdin)
    api, key = outputs["apiUrl"], {"authorization": f"Bearer {sys.argv[1]}"}
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "12.jpg"
        photograph(file, 4000, 3000)
        image = file.read_bytes()
    about = json.dumps({"fileName": "12.jpg", "contentType": "image/jpeg", "size": len(image)}).encode()
    times = {"ready": [], "thumbnails": []}
    for _ in range(ROUNDS):
        ticket = json.loads(call("POST", f"{api}/upload", {**key, "content-type": "application/json"}, about))
        start = time.monotonic()
        call("PUT", ticket["uploadUrl"], ticket["headers"], image)
        put = time.monotonic() - start
        seen = {}
        while "thumbnails" not in seen:
            time.sleep(PAUSE)
            now = json.loads(call("GET", f"{api}/images/{ticket['imageId']}", key))
            if time.monotonic() - start > 30:
                sys.exit(f"no thumbnails after 30 s: {now}")
            if now["status"] == "ready":
                seen.setdefault("ready", time.monotonic() - start)
            if now.get("thumbnails"):
                seen["thumbnails"] = time.monotonic() - start
        print(f"PUT {put:.2f} s, ready {seen['ready']:.2f} s, thumbnails {seen['thumbnails']:.2f} s")
        for name, value in seen.items():
            times[name].append(value)
    for name, values in times.items():
        print(f"{name}: median {statistics.median(values):.2f} s, worst {max(values):.2f} s")


if __name__ == "__main__":
    main()
