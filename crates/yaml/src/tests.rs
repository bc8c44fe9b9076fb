//! `tests/kubectl/` compares with kubectl itself.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn read(text: &str) -> Result<Vec<Value>, Fault> {
    documents(text).into_iter().map(|document| document.value).collect()
}

#[test]
fn whole_numbers_are_integers_however_they_are_written() {
    for (written, is) in [
        ("2.592e+06", json!(2_592_000)),
        ("604800.0", json!(604_800)),
        ("6048e2", json!(604_800)),
        ("0604800", json!(604_800)),
        ("0100000", json!(32768)),
        ("0o17", json!(15)),
        ("-0x1F", json!(-31)),
        ("1_000", json!(1000)),
        ("18446744073709551615", json!(18_446_744_073_709_551_615.0)),
        ("-9223372036854775808", json!(i64::MIN)),
        ("1e999", json!("1e999")),
        ("1.5", json!(1.5)),
        (".5", json!(0.5)),
        ("12:30", json!("12:30")),
        ("2026-11-30", json!("2026-11-30")),
        ("\"604800\"", json!("604800")),
        ("!!str 604800", json!("604800")),
        ("yes", json!(true)),
        ("Off", json!(false)),
        ("nO", json!("nO")),
        ("~", json!(null)),
        ("!custom 1", json!("1")),
    ] {
        assert_eq!(read(&format!("a: {written}\n")).unwrap(), [json!({"a": is})], "{written}");
    }
    assert_eq!(read("{\"a\": 604800.0}").unwrap(), [json!({"a": 604_800})]);
}

#[test]
fn keys_become_texts_and_merges_go_by_place() {
    assert_eq!(read("1: a\non: b\n0.5: c\n").unwrap(), [json!({"1": "a", "true": "b", "0.5": "c"})]);
    let merged = read("b: &b {p: 1, q: 1}\na: {q: 2, <<: *b, p: 3}\n").unwrap();
    assert_eq!(merged, [json!({"a": {"p": 3, "q": 1}, "b": {"p": 1, "q": 1}})]);
    let first = read("a: {<<: [{p: 1}, {p: 2, q: 2}]}\n").unwrap();
    assert_eq!(first, [json!({"a": {"p": 1, "q": 2}})]);
}

#[test]
fn faults_are_placed_in_the_whole_text() {
    let fault = |text: &str| read(text).unwrap_err();
    assert_eq!(fault("a: 1\n---\nb: 1\nb: 2\n"), Fault { line: 4, column: 1, problem: "is a key that is there twice" });
    assert_eq!(fault("a: .nan\n").line, 1);
    assert_eq!(fault("a: 1\n--- b\n").line, 2);
    assert_eq!(fault("a: 1\n...\nb: 1\n").problem, "there is something after the end of the document");
    assert!(fault("{\"a\": 1,\n \"a\": 2}").problem.contains("twice"));
    assert_eq!(fault("{\"a\": 1}\n{\"a\": 2}\n{\"a\"").line, 3);
}

#[test]
fn objects_follow_each_other_with_and_without_marks() {
    let both = [json!({"a": 1}), json!({"b": 2})];
    for text in [
        "{\"a\": 1}{\"b\": 2}",
        "{\"a\": 1}\n{\"b\": 2}\n",
        "{\"a\": 1}\n---\nb: 2\n",
        "a: 1\r\n---\r\nb: 2\r\n",
        "# nothing\n---\na: 1\n--- # the next one\nb: 2\n---\n",
        "{a: 1}\n---\n{b: 2}\n",
    ] {
        let mut found = read(text).unwrap();
        found.retain(|value| !value.is_null());
        assert_eq!(found, both, "{text:?}");
    }
}

#[test]
fn all_encodings_come_to_the_same() {
    let text = "a: ü𝄞\n";
    let units: Vec<u16> = text.encode_utf16().collect();
    let of = |mark: &[u8], bytes: Vec<u8>| decode(&[mark, &bytes].concat());
    assert_eq!(of(&[0xFF, 0xFE], units.iter().flat_map(|unit| unit.to_le_bytes()).collect()), text);
    assert_eq!(of(&[0xFE, 0xFF], units.iter().flat_map(|unit| unit.to_be_bytes()).collect()), text);
    assert_eq!(of(&[0xEF, 0xBB, 0xBF], text.into()), text);
    assert_eq!(decode(b"# f\xFCr\n"), "# f\u{fffd}r\n");
    assert_eq!(decode(&[0xFF, 0xFE, b'a']), "\u{fffd}");
}

#[test]
fn no_document_takes_all_memory_or_goes_too_deep() {
    let first = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    let text = (1..10).fold(first, |text, number| {
        let again = vec![format!("*a{}", number - 1); 10].join(", ");
        format!("{text}a{number}: &a{number} [{again}]\n")
    });
    assert_eq!(read(&text).unwrap_err().problem, "has too many values");
    assert_eq!(read("a: &a [*a]\n").unwrap_err().problem, "is an alias of what it is in");
    read(&format!("a: {}{}\n", "[".repeat(150), "]".repeat(150))).unwrap_err();
}

proptest! {
    #[test]
    fn no_text_is_too_odd(text in "(\\PC|[\n\t{}\\[\\]:&*!|>'\"%@`,#-])*", bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        documents(&text);
        documents(&decode(&bytes));
    }

    #[test]
    fn json_round_trips(numbers in proptest::collection::vec(any::<i64>(), 0..8), text in "\\PC*") {
        let object = json!({"numbers": numbers, "text": text});
        prop_assert_eq!(read(&object.to_string()).unwrap(), [object]);
    }
}
