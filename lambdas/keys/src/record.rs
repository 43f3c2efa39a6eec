//! All that is kept of a key but its hash.

use image::owner::Owner;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::name::KeyName;
use crate::scopes::Scopes;

/// How many keys an owner may have.
pub const MOST: usize = 50;

/// How long a key may live, in days, if it does not live on until it is revoked.
pub const MOST_DAYS: u16 = 3650;

/// A use is noted when the last one that is noted lies this far back, so that a busy key costs no write a request.
pub const USE_NOTED_EVERY: SignedDuration = SignedDuration::from_hours(1);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// A UUID of version 7, which tells keys apart for people and logs and is no secret.
    pub key_id: Uuid,
    /// The user who made it, and whose images it is for.
    pub owner: Owner,
    pub name: KeyName,
    pub scopes: Scopes,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    /// To the hour.
    pub last_used_at: Option<Timestamp>,
}

impl Key {
    /// Makes a key that lives for so many days, or until it is revoked.
    pub fn new(owner: Owner, name: KeyName, scopes: Scopes, days: Option<u16>, now: Timestamp) -> Key {
        Key {
            key_id: Uuid::now_v7(),
            owner,
            name,
            scopes,
            created_at: now,
            expires_at: days.map(|days| expiry(now, days)),
            last_used_at: None,
        }
    }

    /// Whether it is no key any more. The clock decides: DynamoDB removes what has expired only days later.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now)
    }

    /// Whether its use at this moment is to be noted.
    pub fn is_use_news(&self, now: Timestamp) -> bool {
        self.last_used_at.is_none_or(|last| now.duration_since(last) >= USE_NOTED_EVERY)
    }
}

/// In whole seconds, which is all that the table keeps of it.
fn expiry(now: Timestamp, days: u16) -> Timestamp {
    let seconds = now.as_second() + i64::from(days) * 24 * 60 * 60;
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn sub() -> Owner {
        Owner::user("sub").unwrap()
    }

    fn key(days: Option<u16>) -> Key {
        let name = KeyName::parse("backup").unwrap();
        Key::new(sub(), name, Scopes::read("read"), days, at("2026-11-23T04:05:06.789Z"))
    }

    #[test]
    fn a_key_expires_by_the_clock_and_one_without_an_end_never() {
        let week = key(Some(7));
        assert_eq!(week.expires_at, Some(at("2026-11-30T04:05:06Z")));
        assert!(!week.is_expired(at("2026-11-30T04:05:05.999Z")));
        assert!(week.is_expired(at("2026-11-30T04:05:06Z")));
        assert!(!key(None).is_expired(Timestamp::MAX));
        assert!(!key(Some(MOST_DAYS)).is_expired(at("2036-11-19T00:00:00Z")));
        let last = Key::new(sub(), week.name, week.scopes, Some(MOST_DAYS), Timestamp::MAX);
        assert_eq!(last.expires_at, Some(Timestamp::MAX));
    }

    #[test]
    fn a_use_is_news_once_an_hour() {
        let used = |last: Option<&str>| Key { last_used_at: last.map(at), ..key(None) };
        let now = at("2026-11-23T05:00:00Z");
        assert!(used(None).is_use_news(now));
        assert!(used(Some("2026-11-23T04:00:00Z")).is_use_news(now));
        assert!(!used(Some("2026-11-23T04:00:00.001Z")).is_use_news(now));
        // Another machine's clock is ahead.
        assert!(!used(Some("2026-11-23T06:00:00Z")).is_use_news(now));
    }
}
