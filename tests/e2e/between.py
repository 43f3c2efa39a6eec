"""microburst as something in between that no signature notices: with the name and the path that were signed.

It takes microburst's own arguments, and runs in .local/venv.
"""

import functools

import aiohttp
import aiohttp.web
import yarl
from microburst import cli, forward

# A signature covers the host that was asked, the length of the body, and the path as it was sent, %3A and all.
SIGNED = ("host", "content-length")
headers = forward.Upstream._outbound_headers
forward.Upstream._outbound_headers = lambda self, request: headers(self, request) | {
    name: request.headers[name] for name in SIGNED if name in request.headers
}
aiohttp.ClientSession._build_url = lambda self, url: yarl.URL(url, encoded=True)
# A function's package is larger than aiohttp's megabyte.
aiohttp.web.Application = functools.partial(aiohttp.web.Application, client_max_size=64 << 20)
cli.main()
