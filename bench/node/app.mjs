// The functions in JavaScript, to compare with: AWS SDK v3. AWS's runtime interface client needs a C++
// compiler and cmake to be installed, so `runtime.mjs` stands in for it, and does less.

import { createHash, randomUUID } from "node:crypto";

import { DynamoDBClient, PutItemCommand, QueryCommand } from "@aws-sdk/client-dynamodb";
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { imageSize } from "image-size";

const { CLOUDPIX_BUCKET: Bucket, CLOUDPIX_TABLE: TableName, AWS_ENDPOINT_URL: endpoint } = process.env;
const s3 = new S3Client({ endpoint, forcePathStyle: true });
const dynamodb = new DynamoDBClient({ endpoint });
const FORMATS = { jpg: "image/jpeg", png: "image/png" };

export async function handler(event) {
  const [statusCode, body] =
    event.resource === "/upload" ? [201, await upload(event)] : [200, await page()];
  const headers = { "content-type": "application/json" };
  return { statusCode, headers, body: JSON.stringify(body), isBase64Encoded: false };
}

async function upload(event) {
  let fileName, data;
  if (event.isBase64Encoded) {
    fileName = event.queryStringParameters.fileName;
    data = Buffer.from(event.body, "base64");
  } else {
    const asked = JSON.parse(event.body);
    fileName = asked.fileName;
    data = Buffer.from(asked.data, "base64");
  }
  const { width, height, type } = imageSize(data.subarray(0, 65536));
  const contentType = FORMATS[type];
  const digest = createHash("sha256").update(data).digest();
  const sha256 = digest.toString("hex");
  const uploadedAt = new Date().toISOString();
  const imageId = randomUUID();
  const Key = `uploads/${imageId}.${type}`;
  const downloadUrl = await link(Key, fileName);
  await s3.send(
    new PutObjectCommand({
      Bucket,
      Key,
      Body: data,
      ContentType: contentType,
      IfNoneMatch: "*",
      ChecksumSHA256: digest.toString("base64"),
      Metadata: {
        "file-name": encodeURIComponent(fileName),
        width: String(width),
        height: String(height),
        "uploaded-at": uploadedAt,
        sha256,
      },
    }),
  );
  await dynamodb.send(
    new PutItemCommand({
      TableName,
      Item: {
        ImageID: { S: imageId },
        FileName: { S: fileName },
        ContentType: { S: contentType },
        Size: { N: String(data.length) },
        Width: { N: String(width) },
        Height: { N: String(height) },
        Sha256: { S: sha256 },
        S3ObjectKey: { S: Key },
        ImageStatus: { S: "ready" },
        CreatedAt: { S: uploadedAt },
        UploadDate: { S: uploadedAt.slice(0, 10) },
        UploadOrder: { S: `${uploadedAt}#${imageId}` },
        Owner: { S: "public" },
      },
      ConditionExpression: "attribute_not_exists(ImageID)",
    }),
  );
  return view({ imageId, fileName, contentType, size: data.length, width, height, sha256, uploadedAt, downloadUrl });
}

async function page() {
  const answer = await dynamodb.send(
    new QueryCommand({
      TableName,
      IndexName: "OwnerIndex",
      KeyConditionExpression: "#owner = :owner",
      ExpressionAttributeNames: { "#owner": "Owner" },
      ExpressionAttributeValues: { ":owner": { S: "public" } },
      ScanIndexForward: false,
      Limit: 50,
    }),
  );
  const images = await Promise.all(
    answer.Items.map(async (item) =>
      view({
        imageId: item.ImageID.S,
        fileName: item.FileName.S,
        contentType: item.ContentType.S,
        size: Number(item.Size.N),
        width: Number(item.Width.N),
        height: Number(item.Height.N),
        sha256: item.Sha256.S,
        uploadedAt: item.CreatedAt.S,
        downloadUrl: await link(item.S3ObjectKey.S, item.FileName.S),
      }),
    ),
  );
  return { images, count: images.length, nextCursor: answer.LastEvaluatedKey?.UploadOrder.S };
}

function link(Key, fileName) {
  const ResponseContentDisposition = `attachment; filename*=UTF-8''${encodeURIComponent(fileName)}`;
  return getSignedUrl(s3, new GetObjectCommand({ Bucket, Key, ResponseContentDisposition }), { expiresIn: 900 });
}

function view(image) {
  return { ...image, status: "ready", uploadDate: image.uploadedAt.slice(0, 10) };
}
