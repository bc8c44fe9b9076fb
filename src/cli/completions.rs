//! `payg completions`, and what `kubectl payg` is completed by.

use std::fmt::Write as _;

use clap::{Arg, Command};
use clap_complete::Shell;

use super::{Error, cluster};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub fn run(args: &Args, mut command: Command) -> Result<(), Error> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "payg", &mut script);
    cluster::print(&String::from_utf8(script)?)
}

#[derive(Debug, clap::Args)]
pub struct KubectlArgs {
    /// What is typed after `kubectl payg`; the last word may be the beginning of one
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// Prints what may be typed, as kubectl asks plugins for it: a line for each, with a tab before its explanation, and a last
/// line with a number, by which a shell offers no names of files:
/// <https://kubernetes.io/docs/tasks/extend-kubectl/kubectl-plugins/>, <https://github.com/kubernetes/kubernetes/pull/105867>.
pub fn for_kubectl(args: &KubectlArgs, command: &Command) -> Result<(), Error> {
    cluster::print(&offers(command, &args.words))
}

const NO_FILES: &str = ":4\n";

fn offers(command: &Command, words: &[String]) -> String {
    let (last, before) = words.split_last().map_or(("", words), |(last, before)| (last.as_str(), before));
    let known = before.iter().fold(command, |command, word| command.find_subcommand(word).unwrap_or(command));
    let option = |arg: &Arg, word: &str| arg.get_long().is_some_and(|long| word == format!("--{long}"));
    let open = before.last().and_then(|word| known.get_arguments().find(|arg| option(arg, word)));
    let open = open.filter(|arg| arg.get_action().takes_values());
    let mut offers: Vec<(String, String)> = Vec::new();
    if let Some(arg) = open {
        for value in arg.get_possible_values() {
            offers.push((value.get_name().to_owned(), value.get_help().map(ToString::to_string).unwrap_or_default()));
        }
    } else if last.starts_with('-') {
        for arg in known.get_arguments().filter(|arg| !arg.is_hide_set()) {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            offers.extend(arg.get_long().map(|long| (format!("--{long}"), help)));
        }
    } else {
        for sub in known.get_subcommands().filter(|sub| !sub.is_hide_set()) {
            offers.push((sub.get_name().to_owned(), sub.get_about().map(ToString::to_string).unwrap_or_default()));
        }
    }
    let mut text = String::new();
    for (word, help) in offers.iter().filter(|(word, _)| word.starts_with(last)) {
        let _ = writeln!(text, "{word}\t{help}");
    }
    text + NO_FILES
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn offered(words: &[&str]) -> Vec<String> {
        let mut command = super::super::Cli::command();
        command.build();
        let text = offers(&command, &words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        let (lines, end) = text.split_at(text.len() - NO_FILES.len());
        assert_eq!(end, NO_FILES);
        lines.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
    }

    #[test]
    fn completions_offer_what_may_follow() {
        assert_eq!(offered(&["ap"]), ["approve"]);
        assert!(offered(&[""]).contains(&"explain".to_owned()));
        assert!(!offered(&[""]).iter().any(|word| word.starts_with('_')), "what people do not type is hidden");
        assert_eq!(offered(&["get", "--out"]), ["--output"]);
        assert_eq!(offered(&["get", "--output", ""]), ["table", "wide", "json", "yaml", "name"]);
        assert_eq!(offered(&["get", "-A", "--watch", "--o"]), ["--output"]);
        assert_eq!(offered(&["explain", "sandbox"]), Vec::<String>::new());
    }
}
