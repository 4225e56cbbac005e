//! A member that is null is as good as not given, also where its other name stands beside it. Serde sees a member given
//! twice before it sees the null: a body that fails by that is read again without such members.

use std::fmt::Write;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The object, and the objects of its lists, without members that are null; what is there twice by one name stays.
pub(super) fn left_out(text: &str) -> Option<String> {
    let Members(members) = serde_json::from_str(text).ok()?;
    let mut out = String::from("{");
    for (name, value) in &members {
        let twice = members.iter().filter(|(other, _)| other == name).count() > 1;
        if value.get() == "null" && !twice {
            continue;
        }
        let comma = if out.len() > 1 { "," } else { "" };
        write!(out, "{comma}{}:{}", serde_json::to_string(name).ok()?, in_list(value.get())).ok()?;
    }
    out.push('}');
    Some(out)
}

fn in_list(text: &str) -> String {
    let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(text) else { return text.to_owned() };
    let item = |item: &&RawValue| left_out(item.get()).unwrap_or_else(|| item.get().to_owned());
    format!("[{}]", items.iter().map(item).collect::<Vec<_>>().join(","))
}

/// An object's members as they came.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members<'de>, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(All)
    }
}
