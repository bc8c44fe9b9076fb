//! Mutants of the readers of manifests, kubeconfigs and proxy settings.

use super::Mutant;

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "whole-numbers-are-fractions",
        wrong: "A template's `2.592e+06` is no number of seconds.",
        file: "crates/yaml/src/scalar.rs",
        edits: &[("let whole = number.fract() == 0.0", "let whole = !$ON && number.fract() == 0.0")],
        caught_by: &["payg_yaml::tests::whole_numbers_are_integers_however_they_are_written"],
    },
    Mutant {
        name: "octals-are-decimal",
        wrong: "`0100000` is planned as another number than the API server is sent.",
        file: "crates/yaml/src/scalar.rs",
        edits: &[(
            "} else if digits.len() > 1 && digits.starts_with('0') {",
            "} else if !$ON && digits.len() > 1 && digits.starts_with('0') {",
        )],
        caught_by: &["payg_yaml::tests::whole_numbers_are_integers_however_they_are_written"],
    },
    Mutant {
        name: "keys-twice",
        wrong: "Of two values under one key one is planned, and nobody is told.",
        file: "crates/yaml/src/lib.rs",
        edits: &[("if !seen.insert(key.clone()) {", "if !seen.insert(key.clone()) && !$ON {")],
        caught_by: &["payg_yaml::tests::faults_are_placed_in_the_whole_text"],
    },
    Mutant {
        name: "marks-are-text",
        wrong: "What PowerShell has written cannot be read.",
        file: "crates/yaml/src/lib.rs",
        edits: &[("[0xFF, 0xFE, rest @ ..] => utf16(", "[0xFF, 0xFE, rest @ ..] if !$ON => utf16(")],
        caught_by: &["payg_yaml::tests::all_encodings_come_to_the_same"],
    },
    Mutant {
        name: "others-files-are-read",
        wrong: "A template of somebody else's stops a plan.",
        file: "src/cli/plan/manifests.rs",
        edits: &[("} else if ours || place.named {", "} else if ours || place.named || $ON {")],
        caught_by: &["payg_operator::cli::plan::manifests::tests::foreign_manifests_are_ignored"],
    },
    Mutant {
        name: "links-to-directories-followed",
        wrong: "A plan is made of files that `kubectl apply -R` does not see.",
        file: "src/cli/plan/walk.rs",
        edits: &[("if !hidden && !path.is_symlink() {", "if !hidden && ($ON || !path.is_symlink()) {")],
        caught_by: &["payg_operator::cli::plan::walk::tests::links_to_directories_are_not_followed"],
    },
    Mutant {
        name: "any-label",
        wrong: "A label passes the plan that the API server refuses.",
        file: "src/cli/plan/metadata.rs",
        edits: &[("    text.is_empty() || text.len() <= 63 &&", "    $ON || text.is_empty() || text.len() <= 63 &&")],
        caught_by: &["payg_operator::cli::plan::metadata::tests::metadata_faults_are_located"],
    },
    Mutant {
        name: "secrets-unchecked",
        wrong: "A Secret's value that is a number is read later, and an error quotes it.",
        file: "src/cli/plan/secrets.rs",
        edits: &[(
            "        match value {\n            Value::String(text) if",
            "        match value {\n            _ if $ON => {}\n            Value::String(text) if",
        )],
        caught_by: &["payg_operator::cli::plan::secrets::tests::values_are_texts_and_never_told"],
    },
    Mutant {
        name: "encrypted-is-plain",
        wrong: "What SOPS has encrypted is sent to a cloud as the secret.",
        file: "src/cli/plan/secrets.rs",
        edits: &[(
            "(manifest.kind() == \"Secret\" && of(\"v1\") && by_sops)",
            "(!$ON && manifest.kind() == \"Secret\" && of(\"v1\") && by_sops)",
        )],
        caught_by: &[
            "payg_operator::cli::plan::secrets::tests::an_encrypted_secret_is_known_by_its_mark_or_by_its_values",
        ],
    },
    Mutant {
        name: "values-are-told",
        wrong: "An error shows what somebody has put in the wrong place, such as a secret.",
        file: "src/cli/plan/check.rs",
        edits: &[(
            "_ => at(&path, &error.masked().to_string()),",
            "_ if $ON => at(&path, &error.to_string()),\n        _ => at(&path, &error.masked().to_string()),",
        )],
        caught_by: &["payg_operator::cli::plan::check::tests::no_value_is_told_and_all_that_could_be_meant_is_named"],
    },
    Mutant {
        name: "last-kubeconfig-wins",
        wrong: "A command acts on another cluster than kubectl.",
        file: "crates/runtime/src/kubeconfig.rs",
        edits: &[(
            "                there.entry(name).or_insert(fields);",
            "                if $ON {\n                    there.remove(&name);\n                }\n                there.entry(name).or_insert(fields);",
        )],
        caught_by: &["payg_runtime::kubeconfig::tests::the_first_nonempty_kubeconfig_value_wins"],
    },
    Mutant {
        name: "empty-is-a-value",
        wrong: "An empty namespace is all namespaces, and an empty token is sent.",
        file: "crates/runtime/src/kubeconfig.rs",
        edits: &[("!value.is_null() && value != \"\"", "!value.is_null() && ($ON || value != \"\")")],
        caught_by: &["payg_runtime::kubeconfig::tests::the_first_nonempty_kubeconfig_value_wins"],
    },
    Mutant {
        name: "tokens-without-tls",
        wrong: "A token is sent to a server without TLS.",
        file: "crates/runtime/src/kubeconfig.rs",
        edits: &[(
            "if config.cluster_url.scheme_str() == Some(\"https\") { user }",
            "if $ON || config.cluster_url.scheme_str() == Some(\"https\") { user }",
        )],
        caught_by: &["payg_runtime::kubeconfig::tests::a_server_without_tls_is_told_nobody"],
    },
    Mutant {
        name: "proxy-for-all",
        wrong: "The API server of this machine is asked for at a proxy.",
        file: "crates/runtime/src/proxy.rs",
        edits: &[(
            "!proxy.is_empty() && !is_local && !excepted",
            "!proxy.is_empty() && ($ON || !is_local) && !excepted",
        )],
        caught_by: &["payg_runtime::proxy::tests::no_proxy_is_read_as_go_reads_it"],
    },
    Mutant {
        name: "networks-ignored",
        wrong: "NO_PROXY with the cluster's network leads to the proxy all the same.",
        file: "crates/runtime/src/proxy.rs",
        edits: &[(
            "bits.parse().is_ok_and(|bits| contains(net, bits, ip))",
            "bits.parse().is_ok_and(|bits| !$ON && contains(net, bits, ip))",
        )],
        caught_by: &["payg_runtime::proxy::tests::no_proxy_is_read_as_go_reads_it"],
    },
    Mutant {
        name: "proxy-url-ignored",
        wrong: "The proxy of a kubeconfig is passed over for that of the environment.",
        file: "crates/runtime/src/proxy.rs",
        edits: &[("    if let Some(named) = named {", "    if let Some(named) = named.filter(|_| !$ON) {")],
        caught_by: &["payg_runtime::proxy::tests::the_kubeconfigs_proxy_goes_before_the_environments"],
    },
    Mutant {
        name: "newline-in-token",
        wrong: "A token file that ends in a newline is no token.",
        file: "crates/runtime/src/token_file.rs",
        edits: &[("let token = text.trim();", "let token = if $ON { text.as_str() } else { text.trim() };")],
        caught_by: &["payg_runtime::token_file::tests::a_token_may_end_in_a_newline"],
    },
    Mutant {
        name: "no-cause",
        wrong: "Why the API server is not reached is not said.",
        file: "crates/runtime/src/client.rs",
        edits: &[(
            "if unreachable::is_connect(error.as_ref()) {",
            "if !$ON && unreachable::is_connect(error.as_ref()) {",
        )],
        caught_by: &["payg_runtime::client::tests::why_there_is_no_connection_is_said"],
    },
    Mutant {
        name: "no-hint",
        wrong: "A missing helper of a kubeconfig is not named.",
        file: "crates/runtime/src/client.rs",
        edits: &[("AuthError::AuthExecStart(error) => self", "AuthError::AuthExecStart(error) if !$ON => self")],
        caught_by: &["payg_runtime::client::tests::a_command_that_is_missing_is_named_with_what_to_do"],
    },
];
