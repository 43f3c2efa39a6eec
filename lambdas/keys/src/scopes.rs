//! A set of scopes: what a user or a key may do.

use std::collections::BTreeSet;
use std::fmt;

use contract::Scope;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(BTreeSet<Scope>);

impl Scopes {
    /// What a user may do who signed in.
    pub fn all() -> Scopes {
        Scope::ALL.into_iter().collect()
    }

    /// Reads names that are parted by spaces. One that is not known here gives no right.
    pub fn read(names: &str) -> Scopes {
        names.split(' ').filter_map(Scope::named).collect()
    }

    pub fn contains(&self, scope: Scope) -> bool {
        self.0.contains(&scope)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = Scope> {
        self.0.iter().copied()
    }
}

/// Whether a key can be made for it: a key that made keys would outlive its own revocation.
pub const fn can_be_granted(scope: Scope) -> bool {
    match scope {
        Scope::Read | Scope::Write | Scope::Delete | Scope::Shares => true,
        Scope::Keys => false,
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Scopes {
        Scopes(scopes.into_iter().collect())
    }
}

/// Their names, parted by spaces, in one order.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.iter().map(Scope::name).collect();
        f.write_str(&names.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_read_as_it_is_written() {
        assert_eq!(Scopes::all().to_string(), "read write delete shares keys");
        assert_eq!(Scopes::read("read write delete shares keys"), Scopes::all());
        assert_eq!(Scopes::read("").to_string(), "");
        assert!(Scopes::read("").is_empty());
    }

    #[test]
    fn order_repetitions_and_unknown_names_make_no_difference() {
        let scopes = Scopes::read("write everything read  write READ");
        assert_eq!(scopes.to_string(), "read write");
        assert!(scopes.contains(Scope::Read) && !scopes.contains(Scope::Delete));
    }
}
