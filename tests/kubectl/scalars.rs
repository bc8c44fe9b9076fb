//! Each scalar is to `payg` what it is to kubectl.

use std::process::Command;

use serde_json::Value;

use crate::{control_plane, stderr};

const SCALARS: &str = "0 | 1 | -1 | +1 | 007 | 08 | 0o7 | 0x1f | 0X1F | -0x1f | 0b101 | -0b101 | 1_000 | 1__0 | _1 | 1_ | 1e3 | 1E3 | \
     1e+3 | 1e-3 | 1.0 | 1.5 | .5 | 5. | -.5 | +.5 | 1.e3 | .e3 | 1e | e1 | 0.0 | -0 | -0.0 | 1e20 | 1e21 | 1e308 | \
     1e309 | 9223372036854775807 | 9223372036854775808 | 18446744073709551615 | 18446744073709551616 | \
     -9223372036854775808 | -9223372036854775809 | 123456789012345678901234567890 | 0.1 | 1.1e1 | 3.14159 | \
     100000000000000000000.5 | 1:30 | 190:20:30 | 2026-11-30 | 2026-11-30T09:00:00Z | 2026-11-30 09:00:00 | true | \
     True | TRUE | tRUE | yes | Yes | YES | yEs | on | On | ON | y | Y | n | N | no | No | NO | off | Off | OFF | \
     false | False | FALSE | null | Null | NULL | nULL | ~ | nil | none | a | '1' | \"1\" | 'yes' | !!str 1 | \
     !!str yes | !!int 1 | !!int '1' | !!float 1 | !!float '1.5' | !!bool yes | !!null '' | !!binary aGVsbG8= | \
     !x 1 | !x yes | ! 1 | 0x | 0b | 0o | 0b2 | 0o8 | 0xg | --1 | +-1 | 1-1 | 1+1 | 1.2.3 | 1,000 | 1 000 | 12e03 | \
     1e1.5 | Infinity | inf | nan | NaN | +inf | 0. | 00 | 00.5 | -007 | 0_7 | 0x_1f | 1e1_0 | \"a\\u00fc\\n\" | \
     'it''s' | a # b | a#b | << | = | - | ?x | a: b | http://x | C:\\x | {a: 1} | [1, a] | \
     {yes: 1, 2: b, 0.5: c, 0x10: d} | {1_0: a, 08: b} | 1.0e+2 | 4.5e15 | 123456789.123456789";

#[tokio::test(flavor = "multi_thread")]
async fn scalars_are_what_they_are_to_kubectl() {
    let control_plane = control_plane().await;
    let dir = tempfile::tempdir().unwrap();
    let (mut differ, mut refused) = (Vec::new(), 0);
    // Those that are refused are refused with the whole file, so they are asked for alone.
    let kubectl = |scalars: &[&str]| {
        let lines = scalars.join("\n- ");
        let text = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x}}\nscalars:\n- {lines}\n");
        let file = dir.path().join("scalars.yaml");
        std::fs::write(&file, &text).unwrap();
        let mut command = Command::new(control_plane.kubectl());
        command.arg("--kubeconfig").arg(control_plane.admin_kubeconfig());
        let output = command
            .args(["create", "--dry-run=client", "--validate=false", "-o", "json", "-f"])
            .arg(&file)
            .output()
            .unwrap();
        let theirs = output.status.success().then(|| {
            // Its numbers are read as it writes them.
            let object: Value =
                serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", stderr(&output)));
            object["scalars"].clone()
        });
        let ours = payg_yaml::documents(&text).remove(0).value.ok().map(|value| value["scalars"].clone());
        (theirs, ours)
    };
    let scalars: Vec<_> = SCALARS.split(" | ").collect();
    let (theirs, ours) = kubectl(&scalars);
    if let (Some(theirs), Some(ours)) = (&theirs, &ours) {
        for (number, scalar) in scalars.iter().enumerate() {
            let is_same = |theirs: &Value, ours: &Value| match (theirs.as_i64(), ours.as_i64()) {
                (None, None) if theirs.is_number() && ours.is_number() => theirs.as_f64() == ours.as_f64(),
                _ => theirs == ours,
            };
            if !is_same(&theirs[number], &ours[number]) {
                differ.push(format!("{scalar}: {} to kubectl, {} to payg", theirs[number], ours[number]));
            }
        }
    } else {
        differ.push(format!("refused: {} by kubectl, {} by payg", theirs.is_none(), ours.is_none()));
    }
    for scalar in [
        ".nan",
        "-.inf",
        "!!int x",
        "!!bool 1",
        "!!binary x",
        "*a",
        "@a",
        "`a",
        "%a",
        "\"a",
        "'a",
        "[a",
        "{a",
        "{null: a}",
        "{[a]: b}",
        "&a",
        "a: b: c",
        "!!float x",
    ] {
        let (theirs, ours) = kubectl(&[scalar]);
        refused += usize::from(theirs.is_none());
        if theirs != ours {
            differ.push(format!("{scalar}: {theirs:?} to kubectl, {ours:?} to payg"));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
    assert!(refused > 10, "{refused}");
}
