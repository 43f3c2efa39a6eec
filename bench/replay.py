"""Record the calls of a program to an embedded AWS, and make the very same calls again with nothing around them.

A call is made again as soon as those are answered that were answered before it was made the first time: as
many at once, in the same order, by a client that parses, signs and decides nothing. What that takes is the
emulator's own time, so what the program takes can be held against it on any machine.
"""

import asyncio
import dataclasses
import threading
import time


@dataclasses.dataclass
class Call:
    """One request as it was sent, and when; seconds."""

    request: bytes
    begin: float
    end: float = 0.0
    status: int = 0

    @property
    def name(self):
        """What is called: `dynamodb DescribeTable`, `s3 GET /bucket?tagging`."""
        head, _, body = self.request.decode("latin-1").partition("\r\n\r\n")
        line, *rest = head.split("\r\n")
        headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in rest)}
        # `status` asks the API itself, which is no call that is signed.
        scope = headers.get("authorization", "").partition("Credential=")[2].split("/")
        service = scope[3] if len(scope) > 3 else "api"
        method, path = line.split(" ")[:2]
        target = headers.get("x-amz-target", "").rpartition(".")[2] or path.partition("/operation/")[2]
        action = next((field[7:] for field in body.split("&") if field.startswith("Action=")), "")
        return f"{service} {target or action or f'{method} {path}'}"


async def message(reader, no_body=False):
    """A request or an answer, whole: its first line, and all of its bytes. Empty where there is none."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b"", b""
    line, *rest = head.split(b"\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (one.partition(b":") for one in rest)}
    body = b""
    if no_body or b" 204 " in line or b" 304 " in line:
        pass
    elif headers.get(b"transfer-encoding") == b"chunked":
        while True:
            size = await reader.readuntil(b"\r\n")
            chunk = await reader.readexactly(int(size.split(b";")[0], 16) + 2)
            body += size + chunk
            if chunk == b"\r\n":
                break
    else:
        body = await reader.readexactly(int(headers.get(b"content-length", 0)))
    return line, head + body


class Recorder:
    """Stands between a program and the emulator, and notes each call."""

    def __init__(self, upstream):
        self.host, self.port = upstream.rpartition("/")[2].split(":")
        self.calls = []

    def __enter__(self):
        self.loop, ready = asyncio.new_event_loop(), threading.Event()

        async def serve():
            self.server = await asyncio.start_server(self.connection, "127.0.0.1", 0, limit=1 << 20)
            ready.set()

        def run():
            self.loop.run_until_complete(serve())
            self.loop.run_forever()

        threading.Thread(target=run, daemon=True).start()
        ready.wait()
        self.endpoint = f"http://localhost:{self.server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.loop.stop)

    async def connection(self, reader, writer):
        far, to = await asyncio.open_connection(self.host, self.port, limit=1 << 20)
        while True:
            line, request = await message(reader)
            if not request:
                break
            call = Call(request, time.monotonic())
            self.calls.append(call)
            to.write(request)
            status, answer = await message(far, no_body=line.startswith(b"HEAD "))
            call.end, call.status = time.monotonic(), int(status.split()[1])
            writer.write(answer)
        to.close()
        writer.close()


def replay(calls, endpoint):
    """Seconds for all of the calls, and how many were answered otherwise than the first time."""
    return asyncio.run(replayed(calls, *endpoint.rpartition("/")[2].split(":")))


async def replayed(calls, host, port):
    answered = [asyncio.Event() for _ in calls]
    # A call waits for those that were answered before it; of these, for the ones that no other waits for.
    before = []
    for call in calls:
        earlier = [index for index, other in enumerate(calls) if other.end <= call.begin]
        latest = max((calls[index].begin for index in earlier), default=0.0)
        before.append([index for index in earlier if calls[index].end > latest])

    idle, begin = [], time.monotonic()

    async def make(index, call):
        for earlier in before[index]:
            await answered[earlier].wait()
        reader, writer = idle.pop() if idle else await asyncio.open_connection(host, port, limit=1 << 20)
        writer.write(call.request)
        status, _ = await message(reader, no_body=call.request.startswith(b"HEAD "))
        idle.append((reader, writer))
        answered[index].set()
        return int(status.split()[1]) != call.status

    others = sum(await asyncio.gather(*(make(index, call) for index, call in enumerate(calls))))
    seconds = time.monotonic() - begin
    for _, writer in idle:
        writer.close()
    return seconds, others
