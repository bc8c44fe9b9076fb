//! The answers of the Security Token Service, which are small documents of XML, read as they were sent. By the reader that the
//! SDK reads them with, which by itself takes the last of two members.

use std::collections::BTreeMap;

use aws_smithy_xml::decode::{Document, ScopedDecoder, try_data};

/// The texts in an element, by their names.
pub(super) type Texts = BTreeMap<String, String>;

/// The texts in the element of `document` that `path` leads to. Nothing if there is no such element, if one on the way or one of
/// the texts is there twice, in whatever letters, or if it holds something else.
pub(super) fn texts(document: &[u8], path: &[&str]) -> Option<Texts> {
    let mut document = Document::try_from(document).ok()?;
    let mut root = document.root_element().ok()?;
    let (name, rest) = path.split_first()?;
    root.start_el().matches(name).then(|| within(&mut root, rest)).flatten()
}

fn within(element: &mut ScopedDecoder<'_, '_>, path: &[&str]) -> Option<Texts> {
    let (mut names, mut found) = (Vec::new(), None);
    let mut texts = Texts::new();
    while let Some(mut child) = element.next_tag() {
        let name = child.start_el().local().to_owned();
        if names.contains(&name.to_ascii_lowercase()) {
            return None;
        }
        names.push(name.to_ascii_lowercase());
        match path.split_first() {
            Some((wanted, rest)) if name == *wanted => found = Some(within(&mut child, rest)?),
            Some(_) => {}
            None => {
                let text = try_data(&mut child).ok()?.into_owned();
                // What goes on after a comment is not a part of it for the SDK.
                if child.next().is_some() {
                    return None;
                }
                texts.insert(name, text);
            }
        }
    }
    if path.is_empty() { Some(texts) } else { found }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(document: &str) -> Option<String> {
        texts(document.as_bytes(), &["Response", "Result", "Credentials"])?.get("Id").cloned()
    }

    #[test]
    fn only_what_is_there_once_is_read() {
        let whole = |id: &str| format!("<Response><Result><Credentials>{id}</Credentials></Result><Other/></Response>");
        assert_eq!(found(&whole("<Id>A&amp;B</Id><Secret>s</Secret>")).as_deref(), Some("A&B"));
        assert_eq!(found(&whole("<Id/>")).as_deref(), Some(""));
        for id in [
            "",
            "<id>A</id>",
            "<Id>A</Id><Id>B</Id>",
            "<Id>A</Id><ID>B</ID>",
            "<Id><X>A</X></Id>",
            "<Id>A<!-- -->B</Id>",
        ] {
            assert_eq!(found(&whole(id)), None, "{id}");
        }
        let one = "<Credentials><Id>A</Id></Credentials>";
        for document in [
            format!("<Response><Result>{one}{one}</Result></Response>"),
            format!("<Response><Result>{one}</Result><Result>{one}</Result></Response>"),
            format!("<Response>{one}</Response>"),
            format!("<Answer><Result>{one}</Result></Answer>"),
            String::new(),
        ] {
            assert_eq!(found(&document), None, "{document}");
        }
    }
}
