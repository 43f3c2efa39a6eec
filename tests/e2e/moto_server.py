"""moto's server, the second emulator: a control plane that nobody of MiniStack's wrote.

Run with the port as argument, by .local/moto's Python. What moto has otherwise than AWS's own models, and the SDK for Rust
therefore cannot read, is mended on the way.
"""

import io
import json
import re
import sys

import cbor2
from moto.apigateway.models import apigateway_backends
from moto.awslambda.models import LambdaFunction
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple


RPC = re.compile(r"/service/(\w+)/operation/(\w+)")


def keep_dead_letters():
    """moto's Lambda forgets where failed events go, so a function would never be as it was asked to be."""
    before = {name: getattr(LambdaFunction, name) for name in ("__init__", "update_configuration", "get_configuration")}

    def init(self, account_id, spec, *args, **kwargs):
        before["__init__"](self, account_id, spec, *args, **kwargs)
        self.dead_letters = spec.get("DeadLetterConfig", {})

    def update(self, updates):
        self.dead_letters = updates.get("DeadLetterConfig", self.dead_letters)
        return before["update_configuration"](self, updates)

    def get(self, *args, **kwargs):
        return {**before["get_configuration"](self, *args, **kwargs), "DeadLetterConfig": self.dead_letters}

    LambdaFunction.__init__, LambdaFunction.update_configuration, LambdaFunction.get_configuration = init, update, get


class Mended:
    def __init__(self, app):
        self.app = app

    def __call__(self, environ, start_response):
        answer, rpc = {}, RPC.fullmatch(environ["PATH_INFO"])
        environ["sent"] = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(environ["sent"])
        if rpc:
            self.as_json(environ, rpc)

        def start(status, headers, exc_info=None):
            answer.update(status=status, headers=headers)
            return lambda data: None

        body, headers = b"".join(self.app(environ, start)), {}
        if rpc:
            body = cbor2.dumps(json.loads(body or b"{}"))
            headers = {"content-type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}
        elif environ["REQUEST_METHOD"] == "GET" and environ["QUERY_STRING"].startswith("versioning"):
            # Under the name of its shape, where S3 has another.
            body = re.sub(rb"(</?)GetBucketVersioning\w+", rb"\1VersioningConfiguration", body)
        elif environ["REQUEST_METHOD"] == "GET" and environ["QUERY_STRING"].startswith("notification"):
            body = re.sub(rb"(</?)GetBucketNotification\w+", rb"\1NotificationConfiguration", body)
        kept = {name.lower(): value for name, value in answer["headers"]}
        headers = {**kept, **headers, "content-length": str(len(body))}
        if environ["REQUEST_METHOD"] == "POST" and environ["PATH_INFO"] == "/restapis":
            self.keep_binary_types(environ, body)
        start_response(answer["status"], list(headers.items()))
        return [body]

    @staticmethod
    def keep_binary_types(environ, body):
        """CreateRestApi forgets them."""
        api = apigateway_backends["123456789012"]["us-east-1"].get_rest_api(json.loads(body)["id"])
        api.binaryMediaTypes = json.loads(environ["sent"])["binaryMediaTypes"]

    @staticmethod
    def as_json(environ, rpc):
        """moto knows CloudWatch's operations as JSON alone, and the SDK sends them as CBOR."""
        sent = environ["sent"]
        body = json.dumps(cbor2.loads(sent) if sent else {}, default=str).encode()
        environ.update({
            "PATH_INFO": "/",
            "REQUEST_URI": "/",
            "RAW_URI": "/",
            "HTTP_X_AMZ_TARGET": ".".join(rpc.groups()),
            "CONTENT_TYPE": "application/x-amz-json-1.0",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
        })
        del environ["HTTP_SMITHY_PROTOCOL"]


keep_dead_letters()
run_simple("127.0.0.1", int(sys.argv[1]), Mended(DomainDispatcherApplication(create_backend_app)), threaded=True)
