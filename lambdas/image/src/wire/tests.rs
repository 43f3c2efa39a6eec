use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;
use crate::testing;

mod schema;

/// Serialises a value, holds it against its schema in `openapi.yaml`, and reads it back. `has_all` tells
/// whether it is to have every property that the schema has.
#[track_caller]
fn check<T>(name: &str, value: &T, has_all: bool)
where
    T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let json = serde_json::to_value(value).unwrap();
    let openapi = schema::openapi();
    let schema = json!({ "$ref": format!("#/components/schemas/{name}") });
    assert_eq!(schema::check(&openapi, &schema, &json, name), Ok(()));
    if has_all {
        let documented = openapi["components"]["schemas"][name]["properties"].as_object().unwrap().keys();
        let missing: Vec<_> = documented.filter(|property| json.get(property).is_none()).collect();
        assert!(missing.is_empty(), "{name} without {missing:?}");
    }
    assert_eq!(serde_json::from_value::<T>(json).unwrap(), *value);
}

fn link(path: &str) -> Link {
    let expires_at = "2026-11-23T04:20:06.789Z".parse().unwrap();
    Link { url: format!("https://pictures.s3.eu-west-1.amazonaws.com/{path}?X-Amz-Signature=1"), expires_at }
}

fn links() -> Links {
    Links { download: link("uploads/1"), thumbnails: vec![link("thumbnails/1"), link("thumbnails/2")] }
}

fn whole() -> Record {
    Record { derived: Some(testing::derived()), ..testing::record() }
}

fn with(status: Status) -> Record {
    Record { status, ..testing::record() }
}

#[test]
fn an_image_is_as_openapi_says() {
    let image = Image::new(whole(), links()).unwrap();
    check("Image", &image, true);
    check("Image", &Image::new(testing::record(), links()).unwrap(), false);
    let none = Record { derived: Some(Derived::default()), ..testing::record() };
    check("Image", &Image::new(none, links()).unwrap(), false);
    check("Thumbnail", &image.thumbnails.unwrap()[0], true);
    for format in Format::ALL {
        check("MediaType", &format, false);
    }
}

#[test]
fn what_is_not_as_openapi_says_is_found() {
    let openapi = schema::openapi();
    let is_right = |image: &Value| {
        schema::check(&openapi, &json!({ "$ref": "#/components/schemas/Image" }), image, "Image").is_ok()
    };
    let image = serde_json::to_value(Image::new(whole(), links()).unwrap()).unwrap();
    assert!(is_right(&image));
    for (name, wrong) in [
        ("size", json!(0)),
        ("size", json!("3")),
        ("status", json!("pending")),
        ("contentType", json!("text/html")),
        ("sha256", json!("ab")),
        ("uploadedAt", json!("today")),
        ("downloadUrl", json!("/")),
        ("orientation", json!(9)),
        ("thumbnails", json!([{ "url": "https://example.com", "width": 1, "height": 1 }])),
        ("new", json!(1)),
    ] {
        let mut image = image.clone();
        image[name] = wrong;
        assert!(!is_right(&image), "{image}");
    }
    let mut image = image;
    image.as_object_mut().unwrap().remove("width");
    assert!(!is_right(&image));
}

#[test]
fn an_image_that_is_not_ready_is_as_openapi_says() {
    let expires_at = "2026-11-23T05:20:06Z".parse().unwrap();
    let rejected = with(Status::Rejected { expires_at, reason: "this is no image".to_owned() });
    check("UnfinishedImage", &UnfinishedImage::new(rejected).unwrap(), true);
    let pending = Record { sha256: None, ..with(Status::Pending { expires_at }) };
    check("UnfinishedImage", &UnfinishedImage::new(pending.clone()).unwrap(), false);
    let headers = BTreeMap::from([("content-type".to_owned(), "image/png".to_owned())]);
    let upload = UploadLink { link: link("uploads/1"), headers };
    check("PendingImage", &PendingImage::new(&pending, upload), true);
}

#[test]
fn a_list_is_as_openapi_says() {
    let images = vec![Image::new(whole(), links()).unwrap()];
    check("ImageList", &ImageList::new(images, Some("cursor".to_owned())), true);
    check("ImageList", &ImageList::new(Vec::new(), None), false);
}

#[test]
fn a_request_for_an_upload_is_as_openapi_says() {
    let announced = UploadRequest {
        file_name: Some("写真.png".to_owned()),
        content_type: Some("image/png".to_owned()),
        data: None,
        size: Some(3),
        sha256: whole().sha256.map(|sha256| sha256.to_string()),
    };
    check("InlineUpload", &UploadRequest { data: Some("YWJj".to_owned()), ..announced.clone() }, true);
    check("AnnouncedUpload", &announced, false);
    let nothing = UploadRequest { file_name: None, content_type: None, data: None, size: None, sha256: None };
    assert_eq!(serde_json::from_str::<UploadRequest>(r#"{"data":null,"new":1}"#).unwrap(), nothing);
}

#[test]
fn any_image_is_told_by_its_status_and_what_was_deleted_by_nothing() {
    let expires_at = "2026-11-23T05:20:06Z".parse().unwrap();
    let seen = |record: Record| AnyImage::new(record, |_| links());
    for (record, is_ready) in [(whole(), true), (with(Status::Pending { expires_at }), false)] {
        let image = seen(record).unwrap();
        assert_eq!(matches!(image, AnyImage::Ready(_)), is_ready);
        let json: Value = serde_json::to_value(&image).unwrap();
        assert_eq!(serde_json::from_value::<AnyImage>(json).unwrap(), image);
    }
    for status in [Status::Deleting, Status::Deleted { expires_at }] {
        assert_eq!(seen(with(status)), None);
    }
}

/// Reads an example of the documentation, and writes it as it was.
#[track_caller]
fn check_example<T: Serialize + DeserializeOwned>(openapi: &Value, operation: &str, place: &str) {
    let content = openapi.pointer(&format!("/paths/{operation}")).unwrap_or_else(|| panic!("no {operation}"));
    let example = content.pointer(&format!("/content/application~1json/{place}"));
    let example = example.unwrap_or_else(|| panic!("no {place} of {operation}"));
    let value: T = serde_json::from_value(example.clone()).unwrap();
    assert_eq!(serde_json::to_value(&value).unwrap(), *example);
}

#[test]
fn the_examples_in_openapi_are_of_these_types() {
    let openapi = schema::openapi();
    for name in ["inline", "announced"] {
        let place = format!("examples/{name}/value");
        check_example::<UploadRequest>(&openapi, "~1upload/post/requestBody", &place);
    }
    let uploaded = "~1upload/post/responses/201";
    check_example::<Image>(&openapi, uploaded, "examples/ready/value");
    check_example::<PendingImage>(&openapi, uploaded, "examples/pending/value");
    check_example::<ImageList>(&openapi, "~1list/get/responses/200", "example");
    let shown = "~1images~1{imageId}/get/responses/200";
    check_example::<Image>(&openapi, shown, "examples/ready/value");
    for name in ["pending", "rejected"] {
        check_example::<UnfinishedImage>(&openapi, shown, &format!("examples/{name}/value"));
    }
}
