//! `payg notify`: the administrator tries the receivers of notices.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use jiff::Timestamp;
use payg_core::notice::{Occasion, Severity};
use payg_notify::{Config, Notice, ReceiverName, send_once};

use crate::operator::read_receivers;

use super::{Error, cluster, show};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Send a notice that is marked as a test to each receiver, and show whether it was accepted
    #[command(after_help = "Example:\n  kubectl exec -n payg-operator deploy/payg-operator -- payg notify test")]
    Test(TestArgs),
}

#[derive(Debug, clap::Args)]
struct TestArgs {
    /// File of receivers, as for `payg operator` (docs/operate/notices.md)
    #[arg(long, env = "NOTIFY_CONFIG", value_name = "FILE")]
    notify_config: PathBuf,
    /// Only the receiver with this name
    #[arg(long, value_name = "NAME")]
    receiver: Option<String>,
}

pub async fn run(args: Args) -> ExitCode {
    let Command::Test(args) = args.command;
    cluster::told(test(&args).await)
}

async fn test(args: &TestArgs) -> Result<(), Error> {
    let config = read_receivers(&args.notify_config)?;
    let receivers = chosen(&config, args.receiver.as_deref())?;
    let notice = notice(Timestamp::now());
    let mut failed = 0;
    for receiver in &receivers {
        let answer = match send_once(&config, receiver, &notice).await {
            Ok(()) => "accepted".to_owned(),
            Err(error) => {
                failed += 1;
                format!("not accepted: {error}")
            }
        };
        cluster::print(&format!("{receiver}: {}\n", show::printable(&answer)))?;
    }
    match failed {
        0 => Ok(()),
        failed => Err(format!("{failed} of {} receivers did not accept the test", receivers.len()).into()),
    }
}

fn chosen(config: &Config, name: Option<&str>) -> Result<Vec<ReceiverName>, Error> {
    let all = config.receivers().into_iter().cloned();
    let Some(name) = name else { return Ok(all.collect()) };
    let chosen: Vec<_> = all.filter(|receiver| receiver.as_str() == name).collect();
    if chosen.is_empty() {
        let names: Vec<_> = config.receivers().into_iter().map(ReceiverName::as_str).collect();
        return Err(format!("the file has no receiver `{name}`; it has {}", names.join(", ")).into());
    }
    Ok(chosen)
}

/// A notice about no Subscription. Each test has its own id, so that no receiver takes it for a repetition.
fn notice(now: Timestamp) -> Notice {
    Notice {
        id: format!("test/{now}"),
        occasion: Occasion::Test,
        severity: Severity::Info,
        starts: now,
        ends: None,
        moot_after: None,
        namespace: "payg-operator".to_owned(),
        name: "test".to_owned(),
        uid: "test".to_owned(),
        labels: BTreeMap::new(),
        contacts: Vec::new(),
        account: "none".to_owned(),
        title: "This is a test: payg-operator can reach this receiver".to_owned(),
        text: "Somebody ran `payg notify test`. It is about no account, and there is nothing to do.".to_owned(),
        facts: Vec::new(),
        command: None,
        link: None,
        page: None,
    }
}
