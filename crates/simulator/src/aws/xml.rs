//! The answers of the query protocol, which are small documents of XML.
//! <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html>

/// The namespace of STS's answers.
const STS: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// An element with what is in it, which is XML already.
pub(crate) fn element(name: &str, inner: &str) -> String {
    format!("<{name}>{inner}</{name}>")
}

/// An element with a text.
pub(crate) fn text(name: &str, text: &str) -> String {
    element(name, &escaped(text))
}

/// The answer of an operation of STS.
pub(crate) fn answer(operation: &str, result: &str, request_id: &str) -> String {
    let result = element(&format!("{operation}Result"), result);
    let metadata = element("ResponseMetadata", &text("RequestId", request_id));
    format!("<{operation}Response xmlns=\"{STS}\">{result}{metadata}</{operation}Response>")
}

/// An error of STS, and whose fault it is.
pub(crate) fn error(side: &str, code: &str, message: &str, request_id: &str) -> String {
    let error = [text("Type", side), text("Code", code), text("Message", message)].concat();
    format!(
        "<ErrorResponse xmlns=\"{STS}\">{}{}</ErrorResponse>",
        element("Error", &error),
        text("RequestId", request_id)
    )
}

/// A text as XML 1.0 can have it: characters that it cannot have are left out.
fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, c| {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => escaped.push(c),
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_xml_characters_are_escaped() {
        assert_eq!(text("A", "<&\u{1}\">'\u{e9}\n"), "<A>&lt;&amp;&quot;&gt;'\u{e9}\n</A>");
    }
}
