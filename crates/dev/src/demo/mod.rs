//! `payg-dev demo`: the operator at work on a real API server, for accounts of simulated clouds whose days pass in a second.

mod accounts;
mod audit;
mod live;
mod people;
mod screen;
mod stage;
mod stories;
mod table;

use std::env;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use payg_operator::cli::Error;
use payg_operator::cli::columns::Style;
use screen::Screen;
use stage::{NAMESPACE, Stage};
use stories::STORIES;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Leave everything running at the end, to look around, until Ctrl-C
    #[arg(long)]
    keep: bool,
}

/// What a shell makes of a program that was interrupted.
const INTERRUPTED: u8 = 130;

pub async fn run(args: Args) -> Result<ExitCode, Error> {
    let mut stop = Stop { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? };
    let mut screen = Screen::new();
    let outcome = tokio::select! {
        biased;
        () = stop.asked() => None,
        outcome = perform(&mut screen, args.keep) => Some(outcome),
    };
    match outcome {
        None => {
            eprintln!("\n{STOPPED}");
            Ok(ExitCode::from(INTERRUPTED))
        }
        Some(Err(error)) => {
            eprintln!("{}", screen.paint(Style::Bad, &format!("The demo failed: {error}")));
            Ok(ExitCode::FAILURE)
        }
        Some(Ok(stage)) => {
            if args.keep {
                stop.asked().await;
                drop(stage);
                eprintln!("\n{STOPPED}");
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

const STOPPED: &str = "Stopped. Nothing is left running.";

/// The wish of the audience to go.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// The demo from beginning to end.
async fn perform(screen: &mut Screen, keep: bool) -> Result<Stage, Error> {
    let mut stage = Stage::launch(screen).await?;
    match perform_on(&mut stage, screen, keep).await {
        Ok(()) => Ok(stage),
        Err(error) => {
            // Ctrl-C reaches kubectl too; what it then complains of is not the demo's failure.
            tokio::time::sleep(Duration::from_millis(200)).await;
            screen.settle();
            stage.post_mortem();
            Err(error)
        }
    }
}

async fn perform_on(stage: &mut Stage, screen: &mut Screen, keep: bool) -> Result<(), Error> {
    stage.set(screen).await?;
    introduce(screen)?;
    let stories = live::play(stage, screen).await?;
    audit::audit(stage, screen, &stories).await?;
    if keep {
        invite(stage, screen)?;
    } else {
        farewell(screen)?;
    }
    Ok(())
}

fn introduce(screen: &mut Screen) -> io::Result<()> {
    screen.line("")?;
    screen.line(&format!("Nine accounts, each with a Subscription in namespace {NAMESPACE}:"))?;
    for story in &STORIES {
        let about = screen.paint(Style::Dim, story.about);
        screen.line(&format!("  {:<12}  {about}", story.name))?;
    }
    // The frame begins with an empty line.
    if screen.is_live() { Ok(()) } else { screen.line("") }
}

fn farewell(screen: &mut Screen) -> io::Result<()> {
    screen.line("")?;
    screen.line("Look around in all this: make demo KEEP=1")?;
    screen.line("Use it yourself:         deploy/samples/README.md")
}

/// How to look around.
fn invite(stage: &Stage, screen: &mut Screen) -> Result<(), Error> {
    let control_plane = &stage.stack.control_plane;
    let simulator = &stage.stack.simulator;
    screen.line("")?;
    screen.line(&screen.paint(Style::Bold, "Everything keeps running until Ctrl-C. In another terminal:"))?;
    screen.line("")?;
    let kubectl = control_plane.kubectl();
    let known =
        env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|dir| dir.join("kubectl").is_file()));
    if let Some(dir) = kubectl.parent().filter(|_| !known) {
        screen.line(&format!("  export PATH=$PATH:{}", dir.display()))?;
    }
    screen.line(&format!("  export KUBECONFIG={}", control_plane.admin_kubeconfig().display()))?;
    let team = format!("kubectl -n {NAMESPACE}");
    let log = stage.operator_log().map(Path::display).map(|log| ("The operator's log", format!("tail -f {log}")));
    let (ca, url) = (simulator.ca_file().display(), simulator.url());
    let commands = [
        ("The table", format!("{team} get subscriptions.payg-operator.io")),
        ("Details of one Subscription", format!("{team} describe subscriptions.payg-operator.io credit-spent")),
        ("The operator's ledger", "kubectl get upgraderecords.payg-operator.io -o wide".to_owned()),
        ("Resume the suspended account and watch its upgrade", format!("{team} patch {RESUME}")),
        ("What the simulated clouds really did", format!("curl --cacert {ca} {url}/_sim/ledger")),
    ];
    for (what, command) in commands.into_iter().chain(log) {
        screen.line(&screen.paint(Style::Dim, &format!("  # {what}")))?;
        screen.line(&format!("  {command}"))?;
    }
    screen.line("")?;
    screen.line("What else the simulated clouds can do: crates/simulator/README.md")?;
    Ok(())
}

const RESUME: &str = r#"subscriptions.payg-operator.io suspended --type merge -p '{"spec": {"suspend": false}}'"#;
