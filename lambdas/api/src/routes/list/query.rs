//! What a client asks of `GET /list`, read from the query string with every check, so that nobody
//! behind has to doubt a date. A parameter that is unknown or given twice is refused: to ignore a
//! mistyped filter would be to answer another question.

use catalog::cursor;
use catalog::listing::{Listing, Order, Scope};
use image::owner::Owner;
use image::position::Position;
use jiff::civil::{Date, time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::reject::Reject;
use crate::request::{Request, RequestExt};

const DEFAULT_LIMIT: usize = 50;
const LARGEST_LIMIT: usize = 200;

/// A page that a client asks for.
#[derive(Debug, PartialEq, Eq)]
pub struct Wanted {
    pub listing: Listing,
    pub after: Option<Position>,
    pub limit: usize,
}

#[derive(Default)]
struct Parameters<'a> {
    date: Option<&'a str>,
    from: Option<&'a str>,
    to: Option<&'a str>,
    limit: Option<&'a str>,
    order: Option<&'a str>,
    cursor: Option<&'a str>,
}

/// Reads the question, which is about the images of one owner.
pub fn parse(request: &Request, owner: Owner) -> Result<Wanted, Reject> {
    let parameters = parameters(request)?;
    let listing = Listing { owner, scope: scope(&parameters)?, order: order(parameters.order)? };
    let after = parameters.cursor.map(|text| {
        cursor::decode(&listing, text).ok_or_else(|| {
            Reject::invalid("cursor", "this is no nextCursor of a page of the same date, from, to and order")
        })
    });
    Ok(Wanted { after: after.transpose()?, limit: limit(parameters.limit)?, listing })
}

fn parameters(request: &Request) -> Result<Parameters<'_>, Reject> {
    let mut parameters = Parameters::default();
    for (name, value) in request.queries() {
        let place = match name {
            "date" => &mut parameters.date,
            "from" => &mut parameters.from,
            "to" => &mut parameters.to,
            "limit" => &mut parameters.limit,
            "order" => &mut parameters.order,
            "cursor" => &mut parameters.cursor,
            other => {
                let detail = "there is no such parameter; there are date, from, to, limit, order and cursor";
                return Err(Reject::invalid(other.to_owned(), detail));
            }
        };
        if place.replace(value).is_some() {
            return Err(Reject::invalid(name.to_owned(), format!("{name} is given more than once")));
        }
    }
    Ok(parameters)
}

fn scope(parameters: &Parameters<'_>) -> Result<Scope, Reject> {
    if let Some(text) = parameters.date {
        if parameters.from.is_some() || parameters.to.is_some() {
            return Err(Reject::invalid("date", "date is one day; it does not go with from or to"));
        }
        let day = date(text)
            .ok_or_else(|| Reject::invalid("date", format!("{text:?} is no date like 2026-11-23")))?;
        return Ok(Scope::Day(day));
    }
    let bound = |name: &'static str, text: Option<&str>| {
        text.map(|text| {
            moment(text).ok_or_else(|| {
                let detail = format!("{text:?} is no date or date-time like 2026-11-23T04:05:06Z");
                Reject::invalid(name, detail)
            })
        })
        .transpose()
    };
    let (from, to) = (bound("from", parameters.from)?, bound("to", parameters.to)?);
    match (from, to) {
        (Some(from), Some(to)) if from >= to => {
            Err(Reject::invalid("to", "to must be later than from; it is not part of the range itself"))
        }
        (from, to) => Ok(Scope::Range { from, to }),
    }
}

fn order(text: Option<&str>) -> Result<Order, Reject> {
    match text {
        None | Some("desc") => Ok(Order::NewestFirst),
        Some("asc") => Ok(Order::OldestFirst),
        Some(_) => Err(Reject::invalid("order", "order is desc or asc")),
    }
}

fn limit(text: Option<&str>) -> Result<usize, Reject> {
    let Some(text) = text else { return Ok(DEFAULT_LIMIT) };
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let limit = text.parse().ok().filter(|limit| digits && (1..=LARGEST_LIMIT).contains(limit));
    limit.ok_or_else(|| Reject::invalid("limit", format!("limit is a number from 1 to {LARGEST_LIMIT}")))
}

/// A date as RFC 3339 writes it; jiff alone would take more, such as `20261123`.
fn date(text: &str) -> Option<Date> {
    has_shape(text, "0000-00-00").then(|| text.parse().ok()).flatten()
}

/// The moment of an RFC 3339 date-time, or of the beginning of a date in UTC. Images are kept to the
/// millisecond, so a finer moment means the next whole one.
fn moment(text: &str) -> Option<Timestamp> {
    if let Some(date) = date(text) {
        let midnight = date.to_datetime(time(0, 0, 0, 0)).to_zoned(TimeZone::UTC);
        // The last day that can be written down lies past the last moment that can be computed.
        return Some(midnight.map_or(Timestamp::MAX, |midnight| midnight.timestamp()));
    }
    let (date_time, fraction_and_offset) = text.split_at_checked("0000-00-00T00:00:00".len())?;
    // A + that nobody encoded arrives as a space.
    let fraction_and_offset = fraction_and_offset.replace(' ', "+");
    let offset = match fraction_and_offset.strip_prefix('.') {
        Some(rest) => rest.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => &fraction_and_offset,
    };
    let written_well = has_shape(&date_time.to_ascii_uppercase().replace(' ', "T"), "0000-00-00T00:00:00")
        && (matches!(offset, "Z" | "z") || has_shape(offset, "+00:00") || has_shape(offset, "-00:00"));
    if !written_well {
        return None;
    }
    let exact: Timestamp = format!("{date_time}{fraction_and_offset}").parse().ok()?;
    let whole = Timestamp::from_millisecond(exact.as_millisecond()).ok()?;
    if whole < exact { whole.checked_add(1.millisecond()).ok() } else { Some(whole) }
}

/// Whether a text has digits where the shape has zeros, and its other characters elsewhere.
fn has_shape(text: &str, shape: &str) -> bool {
    let fits = |(c, like): (u8, u8)| if like == b'0' { c.is_ascii_digit() } else { c == like };
    text.len() == shape.len() && text.bytes().zip(shape.bytes()).all(fits)
}

#[cfg(test)]
mod tests {
    use jiff::civil;
    use serde_json::{Value, json};

    use super::*;
    use crate::gateway::event;

    fn ask(queries: &Value) -> Result<Wanted, Reject> {
        let event = json!({ "multiValueQueryStringParameters": queries });
        parse(&event::read(event.to_string().into_bytes()), Owner::public())
    }

    #[track_caller]
    fn check_scope(queries: &Value, expected: &Scope) {
        assert_eq!(ask(queries).unwrap().listing.scope, *expected);
    }

    #[track_caller]
    fn check_moment(text: &str, expected: &str) {
        let from = Some(expected.parse().unwrap());
        check_scope(&json!({ "from": [text] }), &Scope::Range { from, to: None });
    }

    #[track_caller]
    fn check_refused(queries: &Value, at_fault: &str) {
        match ask(queries).unwrap_err() {
            Reject::Refused { field, .. } => assert_eq!(field.as_deref(), Some(at_fault), "{queries}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn nothing_wanted_is_the_newest_fifty_of_everything() {
        let scope = Scope::Range { from: None, to: None };
        let listing = Listing { owner: Owner::public(), scope, order: Order::NewestFirst };
        assert_eq!(ask(&Value::Null).unwrap(), Wanted { listing, after: None, limit: 50 });
    }

    #[test]
    fn a_date_is_a_day() {
        check_scope(&json!({ "date": ["2026-11-23"] }), &Scope::Day(civil::date(2026, 11, 23)));
        check_scope(&json!({ "date": ["2028-02-29"] }), &Scope::Day(civil::date(2028, 2, 29)));
        for text in [
            "",
            "2026-02-30",
            "2026-02-29",
            "2026-13-01",
            "2026-00-10",
            "2026-1-1",
            "20261123",
            "2026/11/23",
            "23-11-2026",
            "2026-11-23 ",
            "+2026-11-23",
            "2026-11-23T00:00:00Z",
            "２０２６-11-23",
            "today",
        ] {
            check_refused(&json!({ "date": [text] }), "date");
        }
    }

    #[test]
    fn a_bound_is_a_date_or_any_date_time_of_rfc_3339() {
        check_moment("2026-11-23", "2026-11-23T00:00:00Z");
        check_moment("2026-11-23T04:05:06Z", "2026-11-23T04:05:06Z");
        check_moment("2026-11-23t04:05:06.789z", "2026-11-23T04:05:06.789Z");
        check_moment("2026-11-23T00:00:00+09:00", "2026-11-22T15:00:00Z");
        check_moment("2026-11-23T00:00:00 09:00", "2026-11-22T15:00:00Z");
        check_moment("2026-11-23T00:00:00-05:30", "2026-11-23T05:30:00Z");
        check_moment("2026-11-23 04:05:06Z", "2026-11-23T04:05:06Z");
        check_moment("2026-11-23T04:05:06.7890Z", "2026-11-23T04:05:06.789Z");
        check_moment("2026-11-23T04:05:06.7890001Z", "2026-11-23T04:05:06.790Z");
        for text in [
            "",
            "yesterday",
            "2026-02-30",
            "2026-11-23T",
            "2026-11-23T04:05Z",
            "2026-11-23T04:05:06",
            "2026-11-23T24:00:01Z",
            "2026-11-23T04:05:06+0900",
            "2026-11-23T04:05:06Z[UTC]",
            "1795406706",
            "2026-11-23T04:05:06.Z",
            "2026-02-30T00:00:00Z",
            "猫猫猫猫猫猫猫猫",
        ] {
            check_refused(&json!({ "from": [text] }), "from");
            check_refused(&json!({ "to": [text] }), "to");
        }
    }

    #[test]
    fn a_range_must_hold_something() {
        let day = |text: &str| Some(format!("{text}T00:00:00Z").parse().unwrap());
        let scope = Scope::Range { from: day("2026-11-23"), to: day("2026-11-24") };
        check_scope(&json!({ "from": ["2026-11-23"], "to": ["2026-11-24"] }), &scope);
        check_scope(&json!({ "to": ["9999-12-31"] }), &Scope::Range { from: None, to: Some(Timestamp::MAX) });
        check_refused(&json!({ "from": ["2026-11-23"], "to": ["2026-11-23"] }), "to");
        check_refused(&json!({ "from": ["2026-11-24"], "to": ["2026-11-23"] }), "to");
        check_refused(&json!({ "date": ["2026-11-23"], "to": ["2026-11-24"] }), "date");
    }

    #[test]
    fn a_limit_is_from_1_to_200() {
        for limit in [1, 50, 200] {
            assert_eq!(ask(&json!({ "limit": [limit.to_string()] })).unwrap().limit, limit);
        }
        for text in ["", "0", "201", "-1", "+5", "1.5", "abc", "99999999999999999999999", "１"] {
            check_refused(&json!({ "limit": [text] }), "limit");
        }
    }

    #[test]
    fn an_order_is_one_of_two() {
        assert_eq!(ask(&json!({ "order": ["asc"] })).unwrap().listing.order, Order::OldestFirst);
        assert_eq!(ask(&json!({ "order": ["desc"] })).unwrap().listing.order, Order::NewestFirst);
        for text in ["", "ASC", "random"] {
            check_refused(&json!({ "order": [text] }), "order");
        }
    }

    #[test]
    fn a_parameter_is_known_and_given_once() {
        check_refused(&json!({ "dat": ["2026-11-23"] }), "dat");
        check_refused(&json!({ "Date": ["2026-11-23"] }), "Date");
        check_refused(&json!({ "date": ["2026-11-23", "2026-11-23"] }), "date");
    }

    #[test]
    fn a_cursor_belongs_to_its_question() {
        let wanted = ask(&json!({ "date": ["2026-11-23"] })).unwrap();
        let position = Position::parse("2026-11-23T04:05:06.789Z#019aaf2c-0000-7000-8000-000000000001");
        let cursor = cursor::encode(&wanted.listing, position.unwrap());
        let again = ask(&json!({ "date": ["2026-11-23"], "cursor": [cursor], "limit": ["7"] })).unwrap();
        assert_eq!((again.after, again.limit), (position, 7));
        check_refused(&json!({ "cursor": [cursor] }), "cursor");
        check_refused(&json!({ "date": ["2026-11-24"], "cursor": [cursor] }), "cursor");
        check_refused(&json!({ "date": ["2026-11-23"], "order": ["asc"], "cursor": [cursor] }), "cursor");
        check_refused(&json!({ "cursor": [""] }), "cursor");
    }
}
