//! `payg get`: the Subscriptions of a namespace or of all, as the provider's portal lists accounts.

pub(crate) mod row;

use std::process::ExitCode;

use futures::TryStreamExt;
use jiff::Timestamp;
use kube::api::{DynamicObject, ListParams, ObjectList};
use kube::core::ApiResource;
use kube::runtime::watcher;
use kube::{Api, ResourceExt};
use serde_json::json;

use payg_api::Subscription;
use payg_clock::Clock;

use super::cluster::{self, ClusterArgs};
use super::columns::{Cell, Paint, Style};
use super::{Error, show};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Names of Subscriptions; default: all in the namespace
    #[arg(conflicts_with = "all_namespaces")]
    names: Vec<String>,
    /// List the Subscriptions of all namespaces
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    all_namespaces: bool,
    /// After listing, watch for changes and print each changed Subscription
    #[arg(short, long)]
    watch: bool,
    /// Output format
    #[arg(short, long, value_enum, default_value = "table")]
    output: Output,
    #[command(flatten)]
    cluster: ClusterArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// Offer, remaining credit, days left, expected exhaustion, and status
    Table,
    /// Also the account, the desired upgrade, the hash to approve, and the message
    Wide,
    /// The objects as the API server returns them, as JSON
    Json,
    /// The same as YAML
    Yaml,
    /// Names only
    Name,
}

pub async fn run(args: Args, clock: Clock) -> ExitCode {
    cluster::told(get(&args, clock).await)
}

async fn get(args: &Args, clock: Clock) -> Result<(), Error> {
    let (client, namespace) = args.cluster.connect()?;
    // As stored, with fields that this version does not know.
    let resource = ApiResource::erase::<Subscription>(&());
    let api: Api<DynamicObject> = if args.all_namespaces {
        Api::all_with(client, &resource)
    } else {
        Api::namespaced_with(client, &namespace, &resource)
    };
    let mut list = api.list(&ListParams::default()).await.map_err(refusal)?;
    if let Some(absent) = args.names.iter().find(|name| !list.items.iter().any(|one| one.name_any() == **name)) {
        return Err(format!("there is no Subscription `{absent}` in namespace `{namespace}`").into());
    }
    list.items.retain(|one| is_meant(args, one));
    let printer = Printer { args, clock, paint: Paint::of_stdout() };
    printer.all(&list)?;
    if list.items.is_empty() && !args.watch {
        let place = if args.all_namespaces { "any namespace".to_owned() } else { format!("namespace `{namespace}`") };
        eprintln!("There are no Subscriptions in {place}.");
    }
    if args.watch { watch(api, &list, &printer).await } else { Ok(()) }
}

fn is_meant(args: &Args, object: &DynamicObject) -> bool {
    args.names.is_empty() || args.names.contains(&object.name_any())
}

/// Prints changes until standard output is closed.
async fn watch(api: Api<DynamicObject>, list: &ObjectList<DynamicObject>, printer: &Printer<'_>) -> Result<(), Error> {
    let version = |object: &DynamicObject| (object.uid(), object.resource_version());
    let mut told: Vec<_> = list.items.iter().map(version).collect();
    let events = watcher(api, watcher::Config::default());
    let mut events = std::pin::pin!(events);
    while let Some(event) = events.try_next().await? {
        let (watcher::Event::Apply(object) | watcher::Event::InitApply(object)) = event else { continue };
        if is_meant(printer.args, &object) && !told.contains(&version(&object)) {
            told.retain(|(uid, _)| *uid != object.uid());
            told.push(version(&object));
            printer.one(&object)?;
        }
    }
    Ok(())
}

fn refusal(error: kube::Error) -> Error {
    cluster::refusal(error, "Ask an administrator for read access, for example through the ClusterRole payg-viewer.")
}

struct Printer<'a> {
    args: &'a Args,
    clock: Clock,
    paint: Paint,
}

impl Printer<'_> {
    fn all(&self, list: &ObjectList<DynamicObject>) -> Result<(), Error> {
        if self.args.watch && matches!(self.args.output, Output::Json | Output::Yaml) {
            // One document for each, here as later.
            return list.items.iter().try_for_each(|object| self.one(object));
        }
        match self.args.output {
            Output::Json | Output::Yaml => {
                let list = json!({"apiVersion": "v1", "kind": "List", "items": list.items});
                cluster::print(&self.document(&list)?)
            }
            Output::Name => list.items.iter().try_for_each(|object| self.one(object)),
            Output::Table | Output::Wide => {
                let now = self.clock.billing();
                let mut rows: Vec<_> = list.items.iter().map(|object| self.row(object, now)).collect();
                if rows.is_empty() && !self.args.watch {
                    return Ok(());
                }
                let heading = |text: &&str| Cell::new(*text, Style::Dim);
                rows.insert(0, row::HEADINGS[self.columns()].iter().map(heading).collect());
                cluster::print(&self.lines(&rows))
            }
        }
    }

    /// Prints one that has changed.
    fn one(&self, object: &DynamicObject) -> Result<(), Error> {
        let text = match self.args.output {
            Output::Json => self.document(object)?,
            Output::Yaml => format!("---\n{}", self.document(object)?),
            Output::Name => format!("subscription.payg-operator.io/{}\n", object.name_any()),
            Output::Table | Output::Wide => {
                let cells = self.row(object, self.clock.billing());
                let cells = cells.into_iter().zip(&row::WIDTHS[self.columns()]);
                let cells = cells.map(|(cell, width)| Cell { text: format!("{:<width$}", cell.text), ..cell });
                self.lines(&[cells.collect()])
            }
        };
        cluster::print(&text)
    }

    fn lines(&self, rows: &[Vec<Cell>]) -> String {
        let lines = self.paint.columns(rows, usize::MAX);
        lines.iter().flat_map(|line| [line.trim_end(), "\n"]).collect()
    }

    /// Which columns are shown.
    fn columns(&self) -> std::ops::Range<usize> {
        let from = usize::from(!self.args.all_namespaces);
        from..if self.args.output == Output::Wide { row::HEADINGS.len() } else { row::NARROW }
    }

    fn row(&self, object: &DynamicObject, now: Timestamp) -> Vec<Cell> {
        let mut cells = row::row(object, now);
        cells.truncate(self.columns().end);
        cells.split_off(self.columns().start)
    }

    fn document(&self, object: &impl serde::Serialize) -> Result<String, Error> {
        show::document(object, self.args.output == Output::Yaml)
    }
}
