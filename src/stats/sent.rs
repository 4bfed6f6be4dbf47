//! Reading what others sent into no more room than it is worth: of names that are not known nothing
//! is kept, and there is a bound on names that may be any.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

/// No count comes near it, and thousands of them can be added.
pub(super) const MOST: u64 = 1 << 48;
/// The same of bytes, and of microseconds of many at once.
pub(super) const MOST_MEASURED: u64 = 1 << 60;

/// Returns the values of these names, in their order; the default where there is none.
pub(super) fn by_name<'de, D, T, const N: usize>(
    from: D,
    names: [&'static str; N],
) -> Result<[T; N], D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    from.deserialize_map(ByName(names, PhantomData))
}

struct ByName<T, const N: usize>([&'static str; N], PhantomData<T>);

impl<'de, T: Deserialize<'de> + Default, const N: usize> Visitor<'de> for ByName<T, N> {
    type Value = [T; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("values by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<[T; N], A::Error> {
        let mut values: [T; N] = std::array::from_fn(|_| T::default());
        while let Some(name) = map.next_key::<String>()? {
            match self.0.iter().position(|known| *known == name) {
                Some(at) => values[at] = map.next_value()?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(values)
    }
}

/// Returns all of them, if there are at most `N`.
pub(super) fn at_most_few<'de, D, T, const N: usize>(
    from: D,
) -> Result<BTreeMap<String, T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    from.deserialize_map(FewItems::<T, N>(PhantomData))
}

struct FewItems<T, const N: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const N: usize> Visitor<'de> for FewItems<T, N> {
    type Value = BTreeMap<String, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {N} values by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut values = BTreeMap::new();
        while let Some((name, value)) = map.next_entry()? {
            values.insert(name, value);
            if values.len() > N {
                return Err(A::Error::invalid_length(values.len(), &self));
            }
        }
        Ok(values)
    }
}
