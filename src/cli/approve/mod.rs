//! `payg approve`, `payg deny` and `payg retry`: a person's decision about an upgrade, after they were shown what it would do.

mod attempt;
mod confirm;
mod effect;

use std::io::IsTerminal;
use std::process::ExitCode;

use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client, ResourceExt};

use payg_api::{Decision, Subscription, Transition, UpgradeApproval, UpgradeApprovalSpec};
use payg_core::message::unended;

use super::cluster::{self, ClusterArgs};
use super::{Error, show};

/// What each of the three takes.
#[derive(Debug, clap::Args)]
pub struct DenyArgs {
    /// Name of the Subscription
    name: String,
    /// Why, for people who read the decision later
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: String,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// The full hash of the transition, to confirm without a prompt
    #[arg(long, value_name = "HASH")]
    confirm: Option<String>,
}

#[derive(Debug, clap::Args)]
pub struct ApproveArgs {
    #[command(flatten)]
    decision: DenyArgs,
    /// How long the operator may act on the decision, for example 12h or 30d; at most 366d
    #[arg(long, value_name = "DURATION", default_value = "30d", value_parser = duration)]
    expires_in: SignedDuration,
}

#[derive(Debug, clap::Args)]
pub struct RetryArgs {
    #[command(flatten)]
    approve: ApproveArgs,
    /// Number of the record's last attempt, if you have no permission to read the UpgradeRecord
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i32).range(1..=64))]
    record_attempt: Option<i32>,
}

/// A duration in which a day has 24 hours.
fn duration(text: &str) -> Result<SignedDuration, String> {
    let span: Span = text.parse().map_err(|error| format!("{error}"))?;
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|error| error.to_string())?;
    if !duration.is_positive() {
        return Err("must be longer than zero".to_owned());
    }
    if duration > LONGEST {
        return Err("must be at most 366d".to_owned());
    }
    Ok(duration)
}

/// For how long an approval may count: no trial lasts longer than a year.
const LONGEST: SignedDuration = SignedDuration::from_hours(366 * 24);

/// A reason that the API server takes: it says something, in at most 1024 characters.
fn reason(text: &str) -> Result<String, String> {
    match text.chars().count() {
        _ if text.trim().is_empty() => Err("must not be empty: say why, for people who read it later".to_owned()),
        count if count > 1024 => Err(format!("must have at most 1024 characters, but has {count}")),
        _ => Ok(text.to_owned()),
    }
}

pub async fn approve(args: ApproveArgs) -> ExitCode {
    cluster::told(decide(&args.decision, Decision::Approve, Some(args.expires_in), None).await)
}

pub async fn deny(args: DenyArgs) -> ExitCode {
    cluster::told(decide(&args, Decision::Deny, None, None).await)
}

pub async fn retry(args: RetryArgs) -> ExitCode {
    let RetryArgs { approve: ApproveArgs { decision, expires_in }, record_attempt } = args;
    cluster::told(decide(&decision, Decision::Retry, Some(expires_in), record_attempt).await)
}

async fn decide(
    args: &DenyArgs,
    decision: Decision,
    expires_in: Option<SignedDuration>,
    record_attempt: Option<i32>,
) -> Result<(), Error> {
    let (client, namespace) = args.cluster.connect()?;
    let subscription = cluster::subscription(&client, &namespace, &args.name, refusal).await?;
    let in_force = cluster::said(&client, &namespace, &args.name).await.map_err(|error| refusal(error).to_string());
    let approver = who_am_i(&client).await?;
    eprint!("{}{}", show::situation(&subscription, &in_force), show::row("you are", &approver));
    let record_attempt = match decision {
        Decision::Retry => Some(attempt::last(&client, &subscription, record_attempt).await?),
        Decision::Approve | Decision::Deny => None,
    };
    if let Some(why) = effect::lacking(decision, &subscription, in_force.as_deref().unwrap_or_default()) {
        return Err(format!("{why}\nNothing was done.").into());
    }
    let transition_hash = match (current(&subscription), decision) {
        (Ok(transition), _) => {
            let terminal = std::io::stdin().is_terminal().then(|| std::io::stdin().lock());
            confirm::confirm(&transition.hash, decision, args.confirm.as_deref(), terminal)?;
            transition.hash.clone()
        }
        // It counts whatever the transition is, and who wants to stop something must not have to wait.
        (Err(why), Decision::Deny) if args.confirm.is_none() => {
            eprintln!("There is nothing to confirm: {}. A Deny counts whatever the transition is.", unended(&why));
            "0".repeat(32)
        }
        (Err(why), _) => return Err(why.into()),
    };
    let spec = UpgradeApprovalSpec {
        subscription_name: args.name.clone(),
        transition_hash,
        decision,
        approver,
        reason: args.reason.clone(),
        expire_time: expires_in.map(expiry).transpose()?.map(Into::into),
        record_attempt,
    };
    create(&client, &namespace, spec).await
}

/// The user name by which the API server knows who asks.
async fn who_am_i(client: &Client) -> Result<String, Error> {
    let review = Api::<SelfSubjectReview>::all(client.clone());
    let review = review.create(&PostParams::default(), &SelfSubjectReview::default()).await.map_err(refusal)?;
    let name = review.status.and_then(|status| status.user_info).and_then(|user| user.username);
    Ok(name.ok_or("the API server does not report your user name")?)
}

/// What an upgrade would do, if status is about the Subscription as it is now.
fn current(subscription: &Subscription) -> Result<&Transition, String> {
    let status = subscription.status.as_ref();
    let (seen, now) = (status.and_then(|status| status.observed_generation), subscription.metadata.generation);
    if seen != now {
        return Err(
            "the operator has not reconciled the Subscription since its last change; try again in a minute".to_owned()
        );
    }
    let transition = status.and_then(|status| status.transition.as_ref());
    transition.ok_or_else(|| format!("there is no transition: {}", show::ready(subscription)))
}

/// In full seconds, as people write it.
fn expiry(expires_in: SignedDuration) -> Result<Timestamp, Error> {
    Ok(Timestamp::from_second(Timestamp::now().checked_add(expires_in)?.as_second())?)
}

async fn create(client: &Client, namespace: &str, spec: UpgradeApprovalSpec) -> Result<(), Error> {
    let metadata = ObjectMeta { generate_name: Some(format!("{}-", spec.subscription_name)), ..ObjectMeta::default() };
    let approvals = Api::<UpgradeApproval>::namespaced(client.clone(), namespace);
    let created = approvals.create(&PostParams::default(), &UpgradeApproval { metadata, spec }).await;
    let created = created.map_err(refusal)?;
    let name = created.name_any();
    println!("upgradeapproval.payg-operator.io/{name} created");
    let effect = match (created.spec.decision, created.spec.expire_time) {
        (Decision::Deny, _) => {
            "The account is not upgraded until this Deny is deleted, which requires the verb `approve` too".to_owned()
        }
        (_, Some(end)) => format!("It is valid until {end}. To withdraw it before the operator acts on it"),
        (_, None) => "To withdraw it before the operator acts on it".to_owned(),
    };
    eprintln!("{effect}:\n  kubectl delete upgradeapprovals.payg-operator.io {name} --namespace {namespace}");
    Ok(())
}

/// What the API server said, and what to do about it.
fn refusal(error: kube::Error) -> Error {
    match error {
        kube::Error::Api(status) if status.message.contains("second-person.payg-operator.io") => {
            format!("{}\nAsk someone who may approve and who cannot change the Subscription.", status.message).into()
        }
        error => cluster::refusal(
            error,
            "Ask an administrator for permission to approve, for example through the ClusterRole payg-approver in this namespace.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_transition_of_the_subscription_as_it_is_can_be_decided_on() {
        let subscription = |generation: i64, status: serde_json::Value| -> Subscription {
            let azure = serde_json::json!({"subscriptionId": "6f1a3c1e-0000-4a00-9000-00000000f7ee"});
            let spec = serde_json::json!({"providerName": "azure", "account": {"azure": azure}, "offer": "PayAsYouGo",
                "upgrade": {"when": "Immediately", "approval": "Manual"}});
            let object = serde_json::json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "Subscription",
                "metadata": {"name": "asks", "generation": generation}, "spec": spec, "status": status});
            serde_json::from_value(object).unwrap()
        };
        let told = serde_json::json!({"observedGeneration": 2, "transition": {"hash": "0123456789abcdef",
            "from": {"class": "FreeTrial"}, "to": {"class": "PayAsYouGo"}}});
        assert_eq!(current(&subscription(2, told.clone())).unwrap().hash, "0123456789abcdef");
        assert!(
            current(&subscription(3, told)).unwrap_err().contains("has not reconciled"),
            "the spec has changed since"
        );
        let seen = serde_json::json!({"observedGeneration": 2});
        assert!(current(&subscription(2, seen)).unwrap_err().contains("there is no transition"));
    }

    #[test]
    fn durations_are_read_as_people_write_them() {
        assert_eq!(duration("30d"), Ok(SignedDuration::from_hours(720)));
        assert_eq!(duration("12h"), Ok(SignedDuration::from_hours(12)));
        assert_eq!(duration("366d"), Ok(LONGEST));
        for wrong in ["", "soon", "0h", "-1d", "30", "367d", "9999d", "99999999999d"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_reason_says_something() {
        assert_eq!(reason("it goes on").as_deref(), Ok("it goes on"));
        assert!(reason(&"ü".repeat(1024)).is_ok());
        for wrong in ["", " ", "\t\n", &"x".repeat(1025)] {
            assert!(reason(wrong).is_err(), "{wrong:?}");
        }
    }
}
