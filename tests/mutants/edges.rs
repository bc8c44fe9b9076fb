//! Mutants of the edges: what whoever connects can hold, what others' texts look like, and which files are read and written.

use super::Mutant;

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "headers-are-waited-for",
        wrong: "Whoever sends half a request, or none, keeps a connection.",
        file: "crates/runtime/src/http.rs",
        edits: &[(
            ".header_read_timeout(HEADER_TIMEOUT)",
            ".header_read_timeout(if $ON { LONGEST_CONNECTION } else { HEADER_TIMEOUT })",
        )],
        caught_by: &["payg_runtime::http::tests::idle_groups_delay_no_other_group"],
    },
    Mutant {
        name: "headers-of-any-size",
        wrong: "A header takes as much memory as its sender likes.",
        file: "crates/runtime/src/http.rs",
        edits: &[(".max_buf_size(LARGEST_HEADER)", ".max_buf_size(if $ON { 400 << 10 } else { LARGEST_HEADER })")],
        caught_by: &["payg_runtime::http::tests::a_header_has_an_end"],
    },
    Mutant {
        name: "connections-without-end",
        wrong: "Whoever does not read the answer keeps a connection.",
        file: "crates/runtime/src/http.rs",
        edits: &[(
            "timeout(LONGEST_CONNECTION,",
            "timeout(if $ON { LONGEST_CONNECTION * 1000 } else { LONGEST_CONNECTION },",
        )],
        caught_by: &["payg_runtime::http::tests::an_answer_that_is_not_read_is_given_up"],
    },
    Mutant {
        name: "one-peer-takes-all",
        wrong: "One address may hold all connections of a port.",
        file: "crates/runtime/src/http.rs",
        edits: &[("if own >= MOST_OF_A_PEER {", "if !$ON && own >= MOST_OF_A_PEER {")],
        caught_by: &["payg_runtime::http::tests::one_peer_has_its_share_and_no_more"],
    },
    Mutant {
        name: "any-number-of-connections",
        wrong: "Many addresses together take all files.",
        file: "crates/runtime/src/http.rs",
        edits: &[("self.open.len() >= MOST_CONNECTIONS {", "!$ON && self.open.len() >= MOST_CONNECTIONS {")],
        caught_by: &["payg_runtime::http::tests::many_peers_leave_room_for_another"],
    },
    Mutant {
        name: "first-come-first-served",
        wrong: "Who was there first keeps everybody out who comes later.",
        file: "crates/runtime/src/http.rs",
        edits: &[("filter(|(_, count)| own < *count)", "filter(|(_, count)| !$ON && own < *count)")],
        caught_by: &["payg_runtime::http::tests::many_peers_leave_room_for_another"],
    },
    Mutant {
        name: "a-request-gives-way",
        wrong: "A connection on which a request is being answered is closed for a new one.",
        file: "crates/runtime/src/http.rs",
        edits: &[(
            "|connection: &Connection| !connection.is_answering.load(Ordering::Relaxed)",
            "|connection: &Connection| $ON || !connection.is_answering.load(Ordering::Relaxed)",
        )],
        caught_by: &["payg_runtime::http::tests::requests_are_acknowledged_in_status"],
    },
    Mutant {
        name: "hidden-characters-stay",
        wrong: "A text moves the cursor, turns text around or hides some.",
        file: "crates/text/src/lib.rs",
        edits: &[("hidden if is_hidden(hidden) =>", "hidden if !$ON && is_hidden(hidden) =>")],
        caught_by: &[
            "payg_text::tests::hidden_characters_are_escaped",
            "payg_api::text::tests::nothing_is_hidden_in_a_text",
        ],
    },
    Mutant {
        name: "new-lines-stay",
        wrong: "A text of two lines forges one.",
        file: "crates/text/src/lib.rs",
        edits: &[(
            "'\\n' => line.push_str(\"\\\\n\"),",
            "'\\n' if $ON => line.push(letter),\n            '\\n' => line.push_str(\"\\\\n\"),",
        )],
        caught_by: &[
            "payg_text::tests::hidden_characters_are_escaped",
            "payg_operator::cli::log::tests::no_text_forges_a_line",
        ],
    },
    Mutant {
        name: "texts-of-any-length",
        wrong: "A text of somebody else fills status, Events and log.",
        file: "crates/text/src/lib.rs",
        edits: &[("if length > longest {", "if !$ON && length > longest {")],
        caught_by: &["payg_text::tests::long_texts_are_cut_with_an_ellipsis"],
    },
    Mutant {
        name: "messages-as-they-come",
        wrong: "What a cloud says stands in a condition as it was sent.",
        file: "crates/api/src/conditions.rs",
        edits: &[(
            "message: payg_text::excerpt(message, LONGEST_MESSAGE)",
            "message: if $ON { message.to_owned() } else { payg_text::excerpt(message, LONGEST_MESSAGE) }",
        )],
        caught_by: &["payg_api::conditions::tests::a_message_is_short_and_hides_nothing"],
    },
    Mutant {
        name: "json-lines-as-they-come",
        wrong: "Who reads a line of the JSON log writes out again what is hidden in it.",
        file: "src/cli/log.rs",
        edits: &[
            ("Value::String(text) => payg_text::excerpt", "Value::String(text) if !$ON => payg_text::excerpt"),
            ("Value::Null | Value::Bool(_) | Value::Number(_) => value,", "value => value,"),
        ],
        caught_by: &["payg_operator::cli::log::tests::no_text_of_a_line_of_json_hides_anything"],
    },
    Mutant {
        name: "an-end-without-a-reason",
        wrong: "RUST_LOG hides why the process ended.",
        file: "src/cli/log.rs",
        edits: &[(
            "format!(\"{filter},{FATAL}=error\")",
            "if $ON { filter.to_owned() } else { format!(\"{filter},{FATAL}=error\") }",
        )],
        caught_by: &["payg_operator::cli::log::tests::why_the_process_ends_is_always_said"],
    },
    Mutant {
        name: "names-that-can-be-guessed",
        wrong: "Whoever may write Events is there first, and the operator's is never seen.",
        file: "crates/runtime/src/events.rs",
        edits: &[("Uuid::new_v4().simple()", "if $ON { Uuid::nil() } else { Uuid::new_v4() }.simple()")],
        caught_by: &["payg_runtime::events::tests::event_names_are_unpredictable"],
    },
    Mutant {
        name: "counts-on-anything",
        wrong: "An Event that was made to say something else is counted on.",
        file: "crates/runtime/src/events.rs",
        edits: &[("if saying(&there) != saying(event)", "if !$ON && saying(&there) != saying(event)")],
        caught_by: &["payg_runtime::events::tests::a_deleted_or_different_event_is_not_counted_on"],
    },
    Mutant {
        name: "events-remembered-for-ever",
        wrong: "What was said once takes memory for ever.",
        file: "crates/runtime/src/events.rs",
        edits: &[("if written.len() >= MOST_REMEMBERED {", "if !$ON && written.len() >= MOST_REMEMBERED {")],
        caught_by: &["payg_runtime::events::tests::not_all_is_remembered"],
    },
    Mutant {
        name: "plugins-are-quoted",
        wrong: "What a credential plugin prints is in an error.",
        file: "crates/runtime/src/client.rs",
        edits: &[("AuthError::AuthExecRun { out, .. } => {", "AuthError::AuthExecRun { out, .. } if !$ON => {")],
        caught_by: &["payg_runtime::client::tests::credential_command_output_is_not_repeated"],
    },
    Mutant {
        name: "links-lead-out",
        wrong: "A link in a pull request has a plan read what is elsewhere.",
        file: "src/cli/plan/walk.rs",
        edits: &[("|root| real.starts_with(root)", "|root| $ON || real.starts_with(root)")],
        caught_by: &["payg_operator::cli::plan::walk::tests::no_link_leads_out"],
    },
    Mutant {
        name: "files-are-read-twice",
        wrong: "Files that two names lead to are read twice.",
        file: "src/cli/plan/walk.rs",
        edits: &[("if self.seen.insert(real.clone()) {", "if self.seen.insert(real.clone()) || $ON {")],
        caught_by: &["payg_operator::cli::plan::walk::tests::links_to_files_inside_are_followed_and_each_is_read_once"],
    },
    Mutant {
        name: "manifests-of-any-size",
        wrong: "The manifests of a pull request take all memory.",
        file: "src/cli/plan/manifests.rs",
        edits: &[(".checked_sub(bytes.len() as u64)", ".checked_sub(if $ON { 0 } else { bytes.len() as u64 })")],
        caught_by: &["payg_operator::cli::plan::manifests::tests::all_manifests_together_have_an_end"],
    },
    Mutant {
        name: "devices-are-read",
        wrong: "What is no regular file is read: a device without an end, a FIFO without a writer.",
        file: "src/cli/files.rs",
        edits: &[(
            "!fs::metadata(path).map_err(fail)?.is_file()",
            "!$ON && !fs::metadata(path).map_err(fail)?.is_file()",
        )],
        caught_by: &["payg_operator::cli::files::tests::only_regular_files_are_read_and_only_whole"],
    },
    Mutant {
        name: "written-through-links",
        wrong: "A link in the directory has another file overwritten.",
        file: "src/cli/files.rs",
        edits: &[
            ("is_ok_and(|there| !there.is_file())", "is_ok_and(|there| !$ON && !there.is_file())"),
            ("path, OFlags::NOFOLLOW);", "path, if $ON { OFlags::empty() } else { OFlags::NOFOLLOW });"),
        ],
        caught_by: &["payg_operator::cli::files::tests::nothing_is_written_through_a_link"],
    },
    Mutant {
        name: "waits-for-a-fifo",
        wrong: "What has become a FIFO since it was looked at is waited for.",
        file: "src/cli/files.rs",
        edits: &[(
            "(flags | OFlags::NONBLOCK | OFlags::NOCTTY)",
            "(flags | if $ON { OFlags::WRONLY } else { OFlags::NONBLOCK } | OFlags::NOCTTY)",
        )],
        caught_by: &["payg_operator::cli::files::tests::files_replaced_by_links_or_fifos_are_not_opened"],
    },
];
