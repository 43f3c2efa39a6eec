//! Which images a client asks for, in which order, as bounds on the text of their positions. Bounds
//! are computed, never taken from a client; `index` turns them into one Query.

use image::moment::rfc3339;
use image::owner::Owner;
use image::position::Position;
use jiff::Timestamp;
use jiff::civil::Date;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Whose images; no others are in it.
    pub owner: Owner,
    pub scope: Scope,
    pub order: Order,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One day in UTC.
    Day(Date),
    /// From a moment on and before another; either may be open.
    Range { from: Option<Timestamp>, to: Option<Timestamp> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    NewestFirst,
    OldestFirst,
}

/// The index that holds a listing, by its partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Partition {
    /// What is everybody's of a day.
    Day(String),
    Owner(String),
}

/// First and last position of a part of an index, both included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub low: String,
    pub high: String,
}

/// Sort before and after every position: these begin with a digit.
const BEFORE_ALL: &str = "!";
const AFTER_ALL: &str = "~";

impl Listing {
    pub fn partition(&self) -> Partition {
        match &self.scope {
            Scope::Day(date) if self.owner.is_public() => Partition::Day(date.to_string()),
            Scope::Day(_) | Scope::Range { .. } => Partition::Owner(self.owner.to_string()),
        }
    }

    /// The part of the index that is still to be read. `None` if that is empty: to DynamoDB, a range that
    /// ends before it begins is an error.
    ///
    /// A bare moment sorts before every position of that moment (these go on with `#`), so it is an
    /// included lower bound as well as an excluded upper one. A position that must not be seen again
    /// is stepped over by text that lies next to it, where no other position can be.
    pub fn bounds(&self, after: Option<Position>) -> Option<Bounds> {
        let (mut low, mut high) = match self.scope {
            Scope::Day(_) if self.owner.is_public() => (BEFORE_ALL.to_owned(), AFTER_ALL.to_owned()),
            // Every position of a day begins with its date.
            Scope::Day(date) => (date.to_string(), format!("{date}{AFTER_ALL}")),
            Scope::Range { from, to } => (
                from.map_or_else(|| BEFORE_ALL.to_owned(), rfc3339),
                to.map_or_else(|| AFTER_ALL.to_owned(), rfc3339),
            ),
        };
        if let Some(position) = after {
            match self.order {
                Order::OldestFirst => low = low.max(format!("{position}~")),
                Order::NewestFirst => high = high.min(just_before(&position.to_string())),
            }
        }
        (low <= high).then_some(Bounds { low, high })
    }

    /// Text that is the same for the same question, and differs for another one. Of what is everybody's it is
    /// what it was before there were owners, so that cursors of then are still understood.
    pub fn fingerprint(&self) -> String {
        let scope = match &self.scope {
            Scope::Day(date) => date.to_string(),
            Scope::Range { from, to } => {
                let text = |moment: &Option<Timestamp>| moment.map(rfc3339).unwrap_or_default();
                format!("{}/{}", text(from), text(to))
            }
        };
        let whose = if self.owner.is_public() { String::new() } else { format!(" {}", self.owner) };
        format!("{scope} {:?}{whose}", self.order)
    }
}

/// The last character made one smaller, and behind it one larger than any in a position.
fn just_before(position: &str) -> String {
    let mut text = position.to_owned();
    let last = text.pop().and_then(|c| u8::try_from(c).ok()).map_or(0, |byte| byte.saturating_sub(1));
    text.push(char::from(last));
    text.push('~');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn everybodys(scope: Scope, order: Order) -> Listing {
        Listing { owner: Owner::public(), scope, order }
    }

    fn one_moment_of_midnight() -> Scope {
        let moment = |text: &str| text.parse().ok();
        Scope::Range { from: moment("2026-11-23T00:00:00Z"), to: moment("2026-11-23T00:00:00.001Z") }
    }

    fn position(at: &str, id: u128) -> Position {
        Position { at: at.parse().unwrap(), image_id: uuid::Uuid::from_u128(id) }
    }

    /// Every position of a small world whose ids and moments are neighbours, the hardest case.
    fn world() -> Vec<Position> {
        let mut all = Vec::new();
        for at in ["2026-11-22T23:59:59.999Z", "2026-11-23T00:00:00Z", "2026-11-23T00:00:00.001Z"] {
            all.extend((0..40).map(|id| position(at, id)));
        }
        all
    }

    /// What DynamoDB would give for the bounds.
    fn read(listing: &Listing, after: Option<Position>) -> Vec<Position> {
        let Some(Bounds { low, high }) = listing.bounds(after) else { return Vec::new() };
        let mut found: Vec<_> =
            world().into_iter().filter(|position| (&low..=&high).contains(&&position.to_string())).collect();
        if listing.order == Order::NewestFirst {
            found.reverse();
        }
        found
    }

    #[test]
    fn a_range_holds_its_first_moment_and_not_its_last() {
        let listing = everybodys(one_moment_of_midnight(), Order::OldestFirst);
        assert_eq!(read(&listing, None), world()[40..80]);
    }

    #[test]
    fn an_open_range_holds_everything() {
        let scope = Scope::Range { from: None, to: None };
        assert_eq!(read(&everybodys(scope, Order::OldestFirst), None), world());
    }

    #[test]
    fn each_position_is_followed_by_exactly_the_rest() {
        for order in [Order::NewestFirst, Order::OldestFirst] {
            let listing = everybodys(Scope::Range { from: None, to: None }, order);
            let all = read(&listing, None);
            for (index, position) in all.iter().enumerate() {
                assert_eq!(read(&listing, Some(*position)), all[index + 1..], "{order:?} {position}");
            }
        }
    }

    #[test]
    fn a_position_outside_the_range_never_widens_it() {
        let (before, after) = (world()[3], world()[100]);
        let up = everybodys(one_moment_of_midnight(), Order::OldestFirst);
        assert_eq!(read(&up, Some(before)), world()[40..80]);
        assert_eq!(up.bounds(Some(after)), None);
        let down = everybodys(one_moment_of_midnight(), Order::NewestFirst);
        assert_eq!(read(&down, Some(after)).len(), 40);
        assert_eq!(down.bounds(Some(before)), None);
    }

    #[test]
    fn a_day_of_everybody_is_its_own_partition() {
        let listing = everybodys(Scope::Day(jiff::civil::date(2026, 11, 23)), Order::NewestFirst);
        assert_eq!(listing.partition(), Partition::Day("2026-11-23".to_owned()));
        assert_eq!(listing.bounds(None), Some(Bounds { low: "!".to_owned(), high: "~".to_owned() }));
    }
    #[test]
    fn a_day_of_somebody_is_a_range_of_what_is_theirs() {
        for order in [Order::NewestFirst, Order::OldestFirst] {
            let day = Scope::Day(jiff::civil::date(2026, 11, 23));
            let hers = Listing { owner: image::testing::alice(), ..everybodys(day, order) };
            assert_eq!(hers.partition(), Partition::Owner(image::testing::alice().to_string()));
            let mut expected = world()[40..].to_vec();
            if order == Order::NewestFirst {
                expected.reverse();
            }
            assert_eq!(read(&hers, None), expected);
            for (index, position) in expected.iter().enumerate() {
                assert_eq!(read(&hers, Some(*position)), expected[index + 1..], "{order:?} {position}");
            }
        }
        let last = Scope::Day(jiff::civil::date(9999, 12, 31));
        let last = Listing { owner: image::testing::alice(), ..everybodys(last, Order::NewestFirst) };
        assert_eq!(read(&last, None), []);
    }
}
