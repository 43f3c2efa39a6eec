//! Moments as records, objects and answers spell them: in UTC, to the millisecond.

use jiff::Timestamp;
use jiff::tz::Offset;

/// This moment, in milliseconds: what is kept of it must be all there was, or the day of an image
/// could differ from that of its position.
pub fn now() -> Timestamp {
    Timestamp::from_millisecond(Timestamp::now().as_millisecond()).unwrap_or_default()
}

/// RFC 3339 in UTC with milliseconds: `2026-11-23T04:05:06.789Z`.
pub fn rfc3339(moment: Timestamp) -> String {
    format!("{moment:.3}")
}

/// `YYYY-MM-DD` in UTC.
pub fn utc_date(moment: Timestamp) -> String {
    Offset::UTC.to_datetime(moment).date().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_just_before_midnight_belongs_to_the_ending_day() {
        for (moment, date) in
            [("2026-11-23T23:59:59.999Z", "2026-11-23"), ("2026-11-24T00:00:00.000Z", "2026-11-24")]
        {
            let parsed: Timestamp = moment.parse().unwrap();
            assert_eq!((rfc3339(parsed).as_str(), utc_date(parsed).as_str()), (moment, date));
        }
    }
}
