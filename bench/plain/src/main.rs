//! `POST /upload` and `GET /list` the way one writes them first: `lambda_http` with its `Request`,
//! structs that own all they hold, SDK clients with their defaults. It does the same work as the
//! functions, from the type read out of the bytes to the signed link, and gives the same fields back.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use lambda_http::{Error, Request, RequestExt, Response, run, service_fn};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

const LINK_LIFE: Duration = Duration::from_mins(15);

struct App {
    s3: aws_sdk_s3::Client,
    dynamodb: aws_sdk_dynamodb::Client,
    bucket: String,
    table: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Upload {
    file_name: String,
    content_type: Option<String>,
    size: Option<u64>,
    data: Option<String>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Image {
    image_id: String,
    status: String,
    file_name: String,
    content_type: String,
    size: u64,
    width: u64,
    height: u64,
    sha256: String,
    upload_date: String,
    uploaded_at: String,
    download_url: String,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let config = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    // The stub has no host name for each bucket.
    let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
    let app = App {
        s3: aws_sdk_s3::Client::from_conf(s3),
        dynamodb: aws_sdk_dynamodb::Client::new(&config),
        bucket: std::env::var("CLOUDPIX_BUCKET")?,
        table: std::env::var("CLOUDPIX_TABLE")?,
    };
    run(service_fn(async |request: Request| handle(&app, request).await)).await
}

async fn handle(app: &App, request: Request) -> Result<Response<String>, Error> {
    let (status, body) = match request.raw_http_path() {
        "/upload" => (201, upload(app, &request).await?),
        "/list" => (200, list(app).await?),
        _ => (404, "{}".to_owned()),
    };
    Ok(Response::builder().status(status).header("content-type", "application/json").body(body)?)
}

async fn upload(app: &App, request: &Request) -> Result<String, Error> {
    let content_type = request.headers().get("content-type").map_or("", |value| value.to_str().unwrap_or(""));
    if content_type != "application/json" {
        let parameters = request.query_string_parameters();
        let file_name = parameters.first("fileName").ok_or("fileName is missing")?;
        return store(app, file_name.to_owned(), request.body().to_vec()).await;
    }
    let upload: Upload = serde_json::from_slice(request.body())?;
    match upload.data {
        Some(data) => store(app, upload.file_name, STANDARD.decode(data)?).await,
        None => announce(app, upload).await,
    }
}

async fn store(app: &App, file_name: String, bytes: Vec<u8>) -> Result<String, Error> {
    let size = imagesize::blob_size(&bytes)?;
    let (content_type, extension) = match imagesize::image_type(&bytes)? {
        imagesize::ImageType::Jpeg => ("image/jpeg", "jpg"),
        imagesize::ImageType::Png => ("image/png", "png"),
        _ => return Err("this type is not taken".into()),
    };
    let id = Uuid::now_v7().to_string();
    let now = Timestamp::now();
    let key = format!("uploads/{id}.{extension}");
    let download_url = download_url(app, &key, &file_name).await?;
    let image = Image {
        image_id: id,
        status: "ready".to_owned(),
        file_name,
        content_type: content_type.to_owned(),
        size: bytes.len() as u64,
        width: size.width as u64,
        height: size.height as u64,
        sha256: Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect(),
        upload_date: now.strftime("%F").to_string(),
        uploaded_at: format!("{now:.3}"),
        download_url,
    };
    app.s3
        .put_object()
        .bucket(&app.bucket)
        .key(&key)
        .content_type(&image.content_type)
        .metadata("file-name", &image.file_name)
        .metadata("width", image.width.to_string())
        .metadata("height", image.height.to_string())
        .metadata("uploaded-at", &image.uploaded_at)
        .metadata("sha256", &image.sha256)
        .body(ByteStream::from(bytes))
        .send()
        .await?;
    let order = format!("{}#{}", image.uploaded_at, image.image_id);
    let item = HashMap::from([
        ("ImageID".to_owned(), AttributeValue::S(image.image_id.clone())),
        ("FileName".to_owned(), AttributeValue::S(image.file_name.clone())),
        ("ContentType".to_owned(), AttributeValue::S(image.content_type.clone())),
        ("Size".to_owned(), AttributeValue::N(image.size.to_string())),
        ("Width".to_owned(), AttributeValue::N(image.width.to_string())),
        ("Height".to_owned(), AttributeValue::N(image.height.to_string())),
        ("Sha256".to_owned(), AttributeValue::S(image.sha256.clone())),
        ("S3ObjectKey".to_owned(), AttributeValue::S(key)),
        ("ImageStatus".to_owned(), AttributeValue::S(image.status.clone())),
        ("CreatedAt".to_owned(), AttributeValue::S(image.uploaded_at.clone())),
        ("UploadDate".to_owned(), AttributeValue::S(image.upload_date.clone())),
        ("UploadOrder".to_owned(), AttributeValue::S(order)),
        ("Owner".to_owned(), AttributeValue::S("public".to_owned())),
    ]);
    app.dynamodb.put_item().table_name(&app.table).set_item(Some(item)).send().await?;
    Ok(serde_json::to_string(&image)?)
}

async fn announce(app: &App, upload: Upload) -> Result<String, Error> {
    let content_type = upload.content_type.ok_or("contentType is missing")?;
    let size = upload.size.ok_or("size is missing")?;
    let id = Uuid::now_v7().to_string();
    let now = Timestamp::now();
    let key = format!("uploads/{id}");
    let put = app.s3.put_object().bucket(&app.bucket).key(&key).content_type(&content_type);
    let put = put.content_length(i64::try_from(size)?).metadata("file-name", &upload.file_name);
    let url = put.presigned(PresigningConfig::expires_in(LINK_LIFE)?).await?;
    let expires_at = now + LINK_LIFE;
    let put = app.dynamodb.put_item().table_name(&app.table);
    put.item("ImageID", AttributeValue::S(id.clone()))
        .item("FileName", AttributeValue::S(upload.file_name))
        .item("ContentType", AttributeValue::S(content_type))
        .item("Size", AttributeValue::N(size.to_string()))
        .item("S3ObjectKey", AttributeValue::S(key))
        .item("ImageStatus", AttributeValue::S("pending".to_owned()))
        .item("CreatedAt", AttributeValue::S(format!("{now:.3}")))
        .item("ExpiresAt", AttributeValue::N(expires_at.as_second().to_string()))
        .send()
        .await?;
    let headers: HashMap<_, _> = url.headers().collect();
    let answer = json!({
        "imageId": id,
        "status": "pending",
        "uploadUrl": url.uri(),
        "method": "PUT",
        "headers": headers,
        "expiresAt": expires_at.to_string(),
    });
    Ok(answer.to_string())
}

async fn list(app: &App) -> Result<String, Error> {
    let query = app.dynamodb.query().table_name(&app.table).index_name("OwnerIndex");
    let query =
        query.key_condition_expression("#owner = :owner").expression_attribute_names("#owner", "Owner");
    let query = query.expression_attribute_values(":owner", AttributeValue::S("public".to_owned()));
    let page = query.scan_index_forward(false).limit(50).send().await?;
    let mut images = Vec::new();
    for item in page.items() {
        let text = |name: &str| item.get(name).and_then(|v| v.as_s().ok()).cloned().unwrap_or_default();
        let number =
            |name: &str| item.get(name).and_then(|v| v.as_n().ok()?.parse().ok()).unwrap_or_default();
        images.push(Image {
            image_id: text("ImageID"),
            status: text("ImageStatus"),
            file_name: text("FileName"),
            content_type: text("ContentType"),
            size: number("Size"),
            width: number("Width"),
            height: number("Height"),
            sha256: text("Sha256"),
            upload_date: text("UploadDate"),
            uploaded_at: text("CreatedAt"),
            download_url: download_url(app, &text("S3ObjectKey"), &text("FileName")).await?,
        });
    }
    let order = page.last_evaluated_key().and_then(|key| key.get("UploadOrder")?.as_s().ok());
    Ok(json!({ "count": images.len(), "images": images, "nextCursor": order }).to_string())
}

async fn download_url(app: &App, key: &str, file_name: &str) -> Result<String, Error> {
    let get = app.s3.get_object().bucket(&app.bucket).key(key);
    let get = get.response_content_disposition(format!("attachment; filename=\"{file_name}\""));
    Ok(get.presigned(PresigningConfig::expires_in(LINK_LIFE)?).await?.uri().to_owned())
}
