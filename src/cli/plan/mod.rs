//! `payg plan`: what the operator would make of manifests, by an observation of the accounts as they are, without a cluster.

mod api;
mod check;
mod manifests;
mod metadata;
mod outcome;
mod secrets;
mod walk;

use std::collections::{HashMap, HashSet};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jiff::Timestamp;
use serde_json::json;

use crate::operator;
use payg_api::{Subscription, UpgradeApproval};
use payg_clock::Clock;
use payg_core::account::AccountId;
use payg_core::reason::Reason;
use payg_providers::{aws, azure};
use payg_runtime::ObjectKey;

use super::operator::CloudArgs;
use super::{Error, cluster, show};
use manifests::{Manifest, Manifests};
use outcome::{Action, Outcome};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  payg plan -f deploy/
  payg plan --offline -f subscription.yaml

Exit codes:
  without an option   0 planned              1 an error, or something is blocked
  --exit-code         0 no upgrade to come   1 upgrades to come   2 an error, or something is blocked   (as kubectl diff)
  --detailed-exitcode 0 no upgrade to come   2 upgrades to come   1 an error, or something is blocked   (as terraform plan)")]
pub struct Args {
    /// Manifest file, directory of manifests, or - for standard input; repeatable
    #[arg(short, long = "filename", value_name = "PATH", required = true)]
    filename: Vec<PathBuf>,
    /// Namespace for manifests that name none
    #[arg(short, long, default_value = "default")]
    namespace: String,
    /// Only validate the manifests; read no account
    #[arg(long)]
    offline: bool,
    /// Output format of the plan
    #[arg(short, long, value_enum, default_value = "text", conflicts_with = "offline")]
    output: Output,
    /// Exit with 1 if upgrades are to come, and with 2 on an error
    #[arg(long, conflicts_with = "detailed_exitcode")]
    exit_code: bool,
    /// Exit with 2 if upgrades are to come, and with 1 on an error
    #[arg(long)]
    detailed_exitcode: bool,
    /// Append a Markdown table to this file, for example $GITHUB_STEP_SUMMARY
    #[arg(long, value_name = "FILE", conflicts_with = "offline")]
    summary: Option<PathBuf>,
    #[command(flatten)]
    clouds: CloudArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    Text,
    Json,
    Yaml,
}

pub async fn run(args: Args, clock: Clock) -> ExitCode {
    let (error, change) = match (args.exit_code, args.detailed_exitcode) {
        (true, _) => (2, 1),
        (_, true) => (1, 2),
        _ => (1, 0),
    };
    match plan(args, clock).await {
        Ok(outcomes) if outcomes.contains(&Action::Blocked) => error.into(),
        Ok(outcomes) if outcomes.iter().any(|action| action.is_change()) => change.into(),
        Ok(_) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {}", show::printable_lines(&failure.to_string()));
            error.into()
        }
    }
}

async fn plan(args: Args, clock: Clock) -> Result<Vec<Action>, Error> {
    let mut read = manifests::read(&args.filename, &args.namespace)?;
    read.warnings.extend(leave_out_encrypted(&mut read.all));
    for warning in &read.warnings {
        eprintln!("warning: {}", show::printable(warning));
    }
    let Manifests { all: manifests, problems, .. } = read;
    check(&manifests, problems)?;
    if args.offline {
        let ours = manifests.iter().filter(|manifest| manifest.is_ours()).count();
        eprintln!(
            "Valid manifests of payg-operator.io: {ours}. Other manifests, not checked: {}",
            manifests.len() - ours
        );
        return Ok(Vec::new());
    }
    let server = api::Manifests::new(&manifests, Timestamp::now());
    let mut planned = Vec::new();
    for manifest in manifests.iter().filter(|manifest| manifest.is_ours() && manifest.kind() == "Subscription") {
        let subscription = served(&server, manifest)?;
        planned.push((manifest, manifest.namespace(), subscription));
    }
    let (azure, aws) = args.clouds.settings(clock)?;
    let clouds = (azure::Connections::new(azure)?, aws::Connections::new(aws)?);
    let subscriptions: Vec<_> = planned.iter().map(|(_, _, subscription)| subscription.clone()).collect();
    operator::plan(&server.client(), clouds, clock, &subscriptions).await?;

    let mut outcomes = Vec::new();
    let mut text = String::new();
    for (manifest, namespace, _) in planned {
        let mut subscription = served(&server, manifest)?;
        undry(&mut subscription);
        let outcome = Outcome::of(&manifest.place, &subscription);
        text += &show::situation(&subscription, &Ok(said(&manifests, namespace, manifest.name())));
        text += &show::row("would", &outcome.action.to_string());
        text += "\n";
        outcomes.push(outcome);
    }
    print(args.output, &text, &outcomes)?;
    if let Some(path) = &args.summary {
        append(path, &outcome::markdown(&outcomes))?;
    }
    let is_stuck = |outcome: &Outcome| outcome.reason == Reason::ProviderNotReady;
    if let Some(untaken) = api::untaken().filter(|_| outcomes.iter().any(is_stuck)) {
        eprintln!("{untaken}");
    }
    eprintln!("This plan does not know what an operator has already requested: those records are in its cluster.");
    Ok(outcomes.into_iter().map(|outcome| outcome.action).collect())
}

/// The accounts that the credentials of a BillingProvider among the manifests see and no Subscription among them names.
pub(super) async fn undeclared(
    filename: &[PathBuf],
    (namespace, provider): (&str, &str),
    clouds: CloudArgs,
    clock: Clock,
) -> Result<Vec<AccountId>, Error> {
    let mut read = manifests::read(filename, namespace)?;
    read.warnings.extend(leave_out_encrypted(&mut read.all));
    for warning in &read.warnings {
        eprintln!("warning: {}", show::printable(warning));
    }
    let Manifests { all: manifests, problems, .. } = read;
    check(&manifests, problems)?;
    let server = api::Manifests::new(&manifests, Timestamp::now());
    let (azure, aws) = clouds.settings(clock)?;
    let clouds = (azure::Connections::new(azure)?, aws::Connections::new(aws)?);
    let key = ObjectKey::namespaced(namespace, provider);
    let survey = operator::survey(&server.client(), clouds, clock, &key).await?;
    let seen = survey.map_err(|error| format!("BillingProvider `{provider}` in namespace `{namespace}`: {error}"))?;
    let Some(seen) = seen.accounts else {
        return Err(format!("BillingProvider `{provider}`: the credentials work{}", seen.seen).into());
    };
    let ours = manifests.iter().filter(|one| one.is_ours() && one.kind() == "Subscription");
    let subscriptions = ours.map(|one| served(&server, one)).collect::<Result<Vec<_>, _>>()?;
    let declared: HashSet<_> =
        subscriptions.iter().filter_map(|one| operator::parse::account(&one.spec.account).ok()).collect();
    Ok(seen.into_iter().map(|seen| seen.account).filter(|account| !declared.contains(account)).collect())
}

/// The Subscription of a manifest as it is now.
fn served(server: &api::Manifests, manifest: &Manifest) -> Result<Subscription, Error> {
    let object = server.get("subscriptions", manifest.namespace(), manifest.name()).unwrap_or_default();
    // No more of the error than where it is: it may quote the text.
    Ok(serde_json::from_value(object).map_err(|_| {
        format!(
            "{}: Subscription `{}` passed validation but cannot be read; please report this bug",
            manifest.place,
            manifest.name()
        )
    })?)
}

/// Takes the Secrets out of `manifests` that are encrypted, and says which a BillingProvider names: the environment has them.
fn leave_out_encrypted(manifests: &mut Vec<Manifest>) -> Vec<String> {
    let named = secrets::named(manifests);
    let told = manifests.iter().filter(|one| named.contains(&("Secret", one.namespace(), one.name()))).filter_map(|one| {
        let how = secrets::encrypted(one)?;
        Some(format!(
            "{}: the Secret `{}` is encrypted {how} and counts as absent; its content is taken from the environment",
            one.place,
            one.name()
        ))
    });
    let told = told.collect();
    manifests.retain(|manifest| secrets::encrypted(manifest).is_none());
    told
}

/// Fails with all that the API server would refuse, beside the `problems` that are known, and with what would overwrite
/// something else.
fn check(manifests: &[Manifest], mut problems: Vec<String>) -> Result<(), Error> {
    let kinds = check::Kinds::new()?;
    let mut seen = HashMap::new();
    for (manifest, found) in others(manifests) {
        let (kind, name) = (manifest.kind(), manifest.name());
        problems.extend(found.into_iter().map(|problem| format!("{}: {kind} `{name}`: {problem}", manifest.place)));
    }
    for manifest in manifests.iter().filter(|manifest| manifest.is_ours()) {
        let identity = (manifest.kind(), manifest.namespace(), manifest.name());
        if let Some(first) = seen.insert(identity, &manifest.place) {
            problems.push(format!(
                "{}: {} `{}` is defined twice; it is also in {first}",
                manifest.place, identity.0, identity.2
            ));
        }
        for problem in kinds.problems(&manifest.object) {
            problems.push(format!("{}: {} `{}`: {problem}", manifest.place, manifest.kind(), manifest.name()));
        }
    }
    let problems: Vec<_> = problems.iter().map(|problem| show::printable(problem)).collect();
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n").into()) }
}

/// What the API server would refuse in what is not ours and a reconcile looks at: Secrets and ServiceAccounts that a BillingProvider
/// names, and the namespaces of ours.
fn others(manifests: &[Manifest]) -> Vec<(&Manifest, Vec<String>)> {
    let named = secrets::named(manifests);
    let namespaces: HashSet<_> = manifests.iter().filter(|one| one.is_ours()).map(Manifest::namespace).collect();
    let is_named = |one: &Manifest| named.contains(&(one.kind(), one.namespace(), one.name()));
    let looked_at = manifests.iter().filter(|one| one.object["apiVersion"] == "v1");
    let found = looked_at.filter_map(|one| match one.kind() {
        "Secret" if is_named(one) => Some((one, secrets::problems(&one.object))),
        "ServiceAccount" if is_named(one) => Some((one, metadata::problems(&one.object["metadata"]))),
        "Namespace" if namespaces.contains(one.name()) => Some((one, metadata::problems(&one.object["metadata"]))),
        _ => None,
    });
    found.collect()
}

/// The operator of a plan runs dry. One that does not would go on where this one stops.
fn undry(subscription: &mut Subscription) {
    let conditions = subscription.status.iter_mut().flat_map(|status| &mut status.conditions);
    for condition in conditions.filter(|condition| condition.reason == Reason::UpgradeHeld) {
        Reason::Upgrading.name().clone_into(&mut condition.reason);
        "The upgrade is due and nothing blocks it: it would be requested now.".clone_into(&mut condition.message);
    }
}

/// What the manifests say of the upgrade of a Subscription.
fn said(manifests: &[Manifest], namespace: &str, name: &str) -> Vec<UpgradeApproval> {
    let about = |manifest: &&Manifest| {
        manifest.kind() == "UpgradeApproval"
            && manifest.object["metadata"]["namespace"] == namespace
            && manifest.object["spec"]["subscriptionName"] == name
    };
    manifests.iter().filter(about).filter_map(|one| serde_json::from_value(one.object.clone()).ok()).collect()
}

fn print(output: Output, text: &str, outcomes: &[Outcome]) -> Result<(), Error> {
    let document = json!({"apiVersion": "plan.payg-operator.io/v1", "kind": "Plan", "items": outcomes});
    cluster::print(&match output {
        Output::Text => format!("{text}{}\n", outcome::sentence(outcomes)),
        Output::Json | Output::Yaml => show::document(&document, output == Output::Yaml)?,
    })
}

fn append(path: &Path, text: &str) -> Result<(), Error> {
    let fail = |error| format!("{} cannot be written: {error}", path.display());
    let mut file = OpenOptions::new().create(true).append(true).open(path).map_err(fail)?;
    Ok(file.write_all(text.as_bytes()).map_err(fail)?)
}
