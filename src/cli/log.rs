//! The log, on standard error. Not all of its text is trustworthy, so every text in a line is an excerpt.

use std::fmt;
use std::io::IsTerminal;

use serde_json::Value;
use tracing::field::Field;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::format::{self, FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, layer};
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::LookupSpan;

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

/// Failures that other crates log: the operator reports them itself, and better.
pub const QUIET: &str = "info,kube_client::client::builder=off,kube_runtime::watcher=off,azure_core=warn,azure_identity=warn,\
                         typespec_client_core=warn";
/// The log target for the reason why the process ends.
pub const FATAL: &str = "payg_operator::fatal";
/// How much of a text is in a line, in characters.
const LONGEST: usize = 4096;

/// Begins to log by RUST_LOG, or by `filter` where that says nothing.
pub fn start(format: LogFormat, filter: &str) {
    let filter = chosen(std::env::var(EnvFilter::DEFAULT_ENV).ok().as_deref(), filter);
    let coloured = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    // At this level Amazon's SDK writes out the answers in which credentials come.
    let secretive = filter_fn(|event| *event.level() != Level::TRACE || !event.target().starts_with("aws_"));
    let registry = tracing_subscriber::registry().with(filter).with(secretive);
    let logger = layer().with_ansi(coloured).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => {
            registry.with(logger.with_target(false).fmt_fields(format::debug_fn(field).delimited(" "))).init();
        }
        LogFormat::Json => registry.with(logger.json().map_event_format(Excerpted)).init(),
    }
}

/// What is logged. Whatever was chosen, why the process ends is.
fn chosen(variable: Option<&str>, otherwise: &str) -> EnvFilter {
    let with = |filter: &str| EnvFilter::try_new(format!("{filter},{FATAL}=error")).ok();
    let variable = variable.filter(|filter| !filter.trim().is_empty());
    variable.and_then(with).or_else(|| with(otherwise)).unwrap_or_default()
}

/// Writes a field for people.
fn field(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    let text = payg_text::excerpt(&format!("{value:?}"), LONGEST);
    match field.name() {
        "message" => write!(writer, "{text}"),
        name => write!(writer, "{name}={text}"),
    }
}

/// Lines of JSON whose texts are excerpts: what reads one would write out again what is hidden in it.
struct Excerpted<F>(F);

impl<S, N, F> FormatEvent<S, N> for Excerpted<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        writeln!(writer, "{}", excerpted(serde_json::from_str(&line).map_err(|_| fmt::Error)?))
    }
}

fn excerpted(value: Value) -> Value {
    match value {
        Value::String(text) => payg_text::excerpt(&text, LONGEST).into(),
        Value::Array(items) => items.into_iter().map(excerpted).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, excerpted(value))).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use tracing::{info, info_span};

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Buffer {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    /// What is logged of a name that forges, in a message, as a text, by its Display and in a span.
    fn log() {
        let name = "jane\n2026-01-01T00:00:00Z  INFO all is well\u{1b}[2J\u{202e}";
        let _span = info_span!("reconcile", name).entered();
        info!(name, %name, "{name} said so: {}", "x".repeat(2 * LONGEST));
    }

    const SHOWN: &str = "jane\\n2026-01-01T00:00:00Z  INFO all is well\\u{1b}[2J\\u{202e}";

    #[test]
    fn no_text_forges_a_line() {
        for coloured in [false, true] {
            let buffer = Buffer::default();
            let written = buffer.clone();
            let logger = layer().with_ansi(coloured).with_writer(move || written.clone());
            let logger = logger.with_target(false).fmt_fields(format::debug_fn(field).delimited(" "));
            tracing::subscriber::with_default(tracing_subscriber::registry().with(logger), log);
            let text = buffer.text();
            assert_eq!(text.lines().count(), 1, "{text}");
            assert!(
                text.contains(&format!(" {SHOWN} said so: xxx")) && text.contains(&format!("name={SHOWN}")),
                "{text}"
            );
            assert!(!text.contains("\u{1b}[2J") && !text.contains('\u{202e}') && text.contains('…'), "{text}");
            assert!(text.len() < 2 * LONGEST, "{}", text.len());
        }
    }

    #[test]
    fn no_text_of_a_line_of_json_hides_anything() {
        let buffer = Buffer::default();
        let written = buffer.clone();
        let logger = layer().with_writer(move || written.clone()).json().map_event_format(Excerpted);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(logger), log);
        let line: Value = serde_json::from_str(&buffer.text()).unwrap();
        assert_eq!((&line["fields"]["name"], &line["span"]["name"]), (&SHOWN.into(), &"reconcile".into()), "{line:#}");
        let message = line["fields"]["message"].as_str().unwrap();
        assert!(
            message.starts_with(&format!("{SHOWN} said so: xxx")) && message.chars().count() == LONGEST,
            "{message}"
        );
        assert_eq!((&line["level"], line["timestamp"].is_string()), (&"INFO".into(), true));
    }

    #[test]
    fn why_the_process_ends_is_always_said() {
        let fatal = format!("{FATAL}=error");
        for (variable, otherwise) in [
            (None, "off"),
            (Some(""), "off"),
            (Some(" "), "info"),
            (Some("off"), "info"),
            (Some("payg_operator=off"), "info"),
            (Some("no filter=at all"), "off"),
        ] {
            let filter = chosen(variable, otherwise).to_string();
            assert!(filter.split(',').any(|directive| directive == fatal), "{variable:?}: {filter}");
        }
        assert!(chosen(Some(""), QUIET).to_string().contains("info"), "an empty variable is as good as none");
    }
}
