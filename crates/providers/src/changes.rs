//! A document in JSON with members taken away, emptied, of another type, there twice or in other letters; and what it still says.

use serde_json::{Value, json};

/// What is done to a member.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    Remove,
    Put(Value),
    /// It is there again, with this value, before or after the first.
    Again(Value, Place),
    /// Its name is in other letters.
    Recase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Before,
    After,
}

/// Changes to members, by their pointers as in RFC 6901.
pub(crate) type Changes = Vec<(String, Change)>;

/// A document as it is sent, and what it says. Nothing if that is in doubt: a member is there twice, or in other letters.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) text: String,
    pub(crate) says: Option<Value>,
}

/// `document` with `changes`. A change within what is changed itself is lost.
pub(crate) fn sent(document: &Value, changes: &[(String, Change)]) -> Sent {
    let mut is_doubtful = false;
    let (text, says) = written(document, "", changes, &mut is_doubtful);
    Sent { text, says: Some(says).filter(|_| !is_doubtful) }
}

fn written(value: &Value, at: &str, changes: &[(String, Change)], is_doubtful: &mut bool) -> (String, Value) {
    let Value::Object(members) = value else {
        let Value::Array(entries) = value else { return (value.to_string(), value.clone()) };
        let entries = entries.iter().enumerate();
        let entries = entries.map(|(index, entry)| written(entry, &format!("{at}/{index}"), changes, is_doubtful));
        let (texts, values): (Vec<_>, Vec<_>) = entries.unzip();
        return (format!("[{}]", texts.join(",")), Value::Array(values));
    };
    let (mut texts, mut says) = (Vec::new(), serde_json::Map::new());
    for (name, member) in members {
        let path = format!("{at}/{name}");
        let change = changes.iter().find(|(changed, _)| *changed == path).map(|(_, change)| change);
        let (text, value) = match change {
            Some(Change::Remove) => continue,
            Some(Change::Put(new)) => (new.to_string(), new.clone()),
            _ => written(member, &path, changes, is_doubtful),
        };
        *is_doubtful |= matches!(change, Some(Change::Again(..) | Change::Recase));
        let pair = |name: &str, text: &str| format!("{}:{text}", json!(name));
        match change {
            Some(Change::Again(new, Place::Before)) => {
                texts.extend([pair(name, &new.to_string()), pair(name, &text)]);
            }
            Some(Change::Again(new, Place::After)) => {
                texts.extend([pair(name, &text), pair(name, &new.to_string())]);
            }
            Some(Change::Recase) => texts.push(pair(&recased(name), &text)),
            _ => texts.push(pair(name, &text)),
        }
        says.insert(name.clone(), value);
    }
    (format!("{{{}}}", texts.join(",")), Value::Object(says))
}

fn recased(name: &str) -> String {
    let upper = name.to_ascii_uppercase();
    if upper == name { name.to_ascii_lowercase() } else { upper }
}

/// The pointers to all members of `document`.
pub(crate) fn members(document: &Value) -> Vec<String> {
    fn of(value: &Value, at: &str, all: &mut Vec<String>) {
        match value {
            Value::Object(members) => members.iter().for_each(|(name, member)| {
                all.push(format!("{at}/{name}"));
                of(member, &format!("{at}/{name}"), all);
            }),
            Value::Array(entries) => {
                entries.iter().enumerate().for_each(|(index, entry)| of(entry, &format!("{at}/{index}"), all));
            }
            _ => {}
        }
    }
    let mut all = Vec::new();
    of(document, "", &mut all);
    all
}

/// Each change of each single member of `document`.
pub(crate) fn singles(document: &Value) -> Vec<(String, Change)> {
    let all = members(document).into_iter();
    all.flat_map(|at| {
        let as_list =
            document.pointer(&at).and_then(Value::as_object).map(|members| members.values().cloned().collect());
        let others = [json!(null), json!(""), json!({}), json!([]), json!(0), json!("0"), json!(true), json!(-1)];
        let puts = others.into_iter().chain(as_list.map(Value::Array)).map(Change::Put);
        let again = [json!(null), json!(""), json!(0), document.pointer(&at).cloned().unwrap_or_default()];
        let again = again
            .into_iter()
            .flat_map(|value| [Place::Before, Place::After].map(|place| Change::Again(value.clone(), place)));
        let changes: Vec<_> = [Change::Remove, Change::Recase].into_iter().chain(puts).chain(again).collect();
        changes.into_iter().map(move |change| (at.clone(), change))
    })
    .collect()
}

/// Each change of each member of `document`, and each two of two members; of those every `share`th, `first` on.
pub(crate) fn subsets(document: &Value, share: usize, first: usize) -> impl Iterator<Item = Changes> {
    let singles = singles(document);
    let pairs = {
        let singles = singles.clone();
        let count = singles.len();
        (0..count * count).skip(first).step_by(share).filter_map(move |pair| {
            let (one, other) = (&singles[pair / count], &singles[pair % count]);
            (one.0 < other.0).then(|| vec![one.clone(), other.clone()])
        })
    };
    singles.into_iter().map(|single| vec![single]).chain(pairs)
}
