// The Lambda Runtime API's loop: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html

import { Agent, request } from "node:http";

import { handler } from "./app.mjs";

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new Agent({ keepAlive: true });

function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { "content-length": Buffer.byteLength(body) };
    const sent = request({ agent, host, port, method, path: `/2018-06-01/runtime/${path}`, headers }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => resolve({ headers: response.headers, body: Buffer.concat(chunks) }));
      response.on("error", reject);
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

for (;;) {
  const { headers, body } = await call("GET", "invocation/next");
  const answer = await handler(JSON.parse(body.toString()));
  await call("POST", `invocation/${headers["lambda-runtime-aws-request-id"]}/response`, JSON.stringify(answer));
}
