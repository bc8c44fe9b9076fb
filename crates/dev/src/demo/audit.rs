//! Whether all went as it should: compares what the simulated clouds did with what the operator wrote into its records.

use std::io;

use jiff::Timestamp;
use kube::Api;
use kube::ResourceExt;
use kube::api::ListParams;
use serde_json::Value;

use super::accounts::AWS_USER;
use super::live::Progress;
use super::screen::Screen;
use super::stage::Stage;
use super::stories::{APPROVER, Upgraded};
use super::table;
use payg_api as api;
use payg_core::account::AccountId;
use payg_operator::cli::Error;
use payg_operator::cli::columns::{Cell, Style};

/// An upgrade that was applied.
struct Applied {
    account: String,
    time: Timestamp,
    by: By,
}

/// Who applied an upgrade.
#[derive(Clone, Debug, PartialEq, Eq)]
enum By {
    /// The operator, by its idempotency key.
    Key(String),
    /// Somebody with credentials, by their ARN: AWS takes no key.
    Caller(String),
    Person,
}

/// Both books.
struct Books {
    applied: Vec<Applied>,
    records: Vec<api::UpgradeRecord>,
    /// How often the account that nobody may look at was asked for.
    observes_suspended: usize,
}

/// Shows both books, and fails if they or the stories are not as they should be.
pub async fn audit(stage: &Stage, screen: &mut Screen, stories: &[Progress]) -> Result<(), Error> {
    let books = Books::read(stage, stories).await?;
    show(screen, stories, &books)?;
    let mut problems: Vec<_> = stories.iter().flat_map(|one| problems(one, &books)).collect();
    problems.extend(strays(stories, &books));
    if !problems.is_empty() {
        return Err(format!("the outcome differs from the stories:\n  {}", problems.join("\n  ")).into());
    }
    let (by_person, by_operator) = books.applied.iter().partition::<Vec<_>, _>(|applied| applied.by == By::Person);
    let good = screen.paint(Style::Good, "✓");
    screen.line(&format!(
        "{good} {} upgrades by the operator: one UpgradeRecord each, all Confirmed",
        by_operator.len()
    ))?;
    screen.line(&format!("{good} {} upgrade by a person in the portal: no UpgradeRecord", by_person.len()))?;
    screen.line(&format!("{good} the suspended account: Azure was never asked about it"))?;
    Ok(())
}

impl Books {
    async fn read(stage: &Stage, stories: &[Progress]) -> Result<Self, Error> {
        let simulator = &stage.stack.simulator;
        let ledger = simulator.get("ledger").await?;
        let records = Api::<api::UpgradeRecord>::all(stage.stack.control_plane.admin_client()?);
        let mut observes_suspended = 0;
        for one in stories.iter().filter(|one| one.story.path == ["Suspended"]) {
            let requests = simulator.get(&format!("requests?account={}", one.account.id())).await?;
            observes_suspended += requests.as_array().map_or(0, Vec::len);
        }
        Ok(Self {
            applied: ledger.as_array().into_iter().flatten().map(applied).collect::<Result<_, _>>()?,
            records: records.list(&ListParams::default()).await?.items,
            observes_suspended,
        })
    }

    fn applied_to<'a>(&'a self, one: &Progress) -> Vec<&'a Applied> {
        let id = one.account.id();
        self.applied.iter().filter(|applied| applied.account == id).collect()
    }

    fn records_of<'a>(&'a self, one: &Progress) -> Vec<&'a api::UpgradeRecord> {
        let id = one.account.id();
        self.records.iter().filter(|record| record.spec.account.id == id).collect()
    }
}

fn applied(entry: &Value) -> Result<Applied, Error> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let account = text(&entry["account"]).ok_or("the simulator's ledger names no account")?;
    let time = text(&entry["billingTime"]).ok_or("the simulator's ledger names no time")?.parse()?;
    let by = &entry["by"];
    let by = text(&by["key"]).map(By::Key).or_else(|| text(&by["caller"]).map(By::Caller)).unwrap_or(By::Person);
    Ok(Applied { account, time, by })
}

/// What is not as it should be in one story.
fn problems(one: &Progress, books: &Books) -> Vec<String> {
    let (applied, records) = (books.applied_to(one), books.records_of(one));
    let mut problems = Vec::new();
    let mut check = |holds: bool, problem: String| {
        if !holds {
            problems.push(format!("{}: {problem}", one.story.name));
        }
    };
    let mut reasons = one.reasons.iter();
    let in_order = one.story.path.iter().all(|wanted| reasons.any(|reason| reason == wanted));
    check(
        in_order,
        format!("it should go through {}; it went through {}", one.story.path.join(", "), one.reasons.join(", ")),
    );
    let offer = if one.reason() == "Suspended" { "-" } else { "PayAsYouGo" };
    check(one.offer() == offer, format!("its offer should be {offer}; it is {}", one.offer()));
    let (wanted, wanted_records) = match one.story.upgraded {
        Upgraded::ByManifest | Upgraded::ByApproval => (vec![by_operator(&one.account)], 1),
        Upgraded::InThePortal => (vec![By::Person], 0),
        Upgraded::Never => (vec![], 0),
    };
    let by: Vec<_> = applied.iter().map(|applied| applied.by.clone()).collect();
    check(by == wanted, format!("upgrades should be applied by {wanted:?}; they were by {by:?}"));
    check(
        records.len() == wanted_records,
        format!("it should have {wanted_records} UpgradeRecords; it has {}", records.len()),
    );
    for record in records {
        check(
            state(record) == "Confirmed",
            format!("UpgradeRecord {} should be Confirmed; it is {}", record.name_any(), state(record)),
        );
        let wanted = (one.story.upgraded == Upgraded::ByApproval).then_some(APPROVER);
        check(approver(record) == wanted, format!("its approver should be {wanted:?}; it is {:?}", approver(record)));
    }
    if one.reason() == "Suspended" {
        check(
            books.observes_suspended == 0,
            format!("no request should concern its account; {} requests were made", books.observes_suspended),
        );
    }
    problems
}

/// How the operator shows in the books of the account's cloud.
fn by_operator(account: &AccountId) -> By {
    match account {
        AccountId::Azure(_) => By::Key(account.upgrade_key().idempotency_key().to_string()),
        AccountId::Aws(id) => By::Caller(format!("arn:aws:iam::{id}:user/{AWS_USER}")),
    }
}

/// What is in a book and belongs to no story.
fn strays(stories: &[Progress], books: &Books) -> Vec<String> {
    let known: Vec<_> = stories.iter().map(|one| one.account.id()).collect();
    let applied = books.applied.iter().map(|applied| &applied.account);
    let recorded = books.records.iter().map(|record| &record.spec.account.id);
    let strays = applied.chain(recorded).filter(|account| !known.contains(account));
    strays.map(|account| format!("account {account} is in the books, and in no story")).collect()
}

fn show(screen: &mut Screen, stories: &[Progress], books: &Books) -> io::Result<()> {
    screen.line("")?;
    screen.line(
        &screen.paint(Style::Bold, "What the simulated clouds really did, beside the operator's UpgradeRecords:"),
    )?;
    screen.line("")?;
    let headings = ["NAME", "UPGRADED", "BY", "RECORD", "STATE", "APPROVED BY"];
    let mut rows = vec![headings.map(|heading| Cell::new(heading, Style::Dim)).into()];
    rows.extend(stories.iter().map(|one| {
        let (applied, records) = (books.applied_to(one), books.records_of(one));
        let (applied, record) = (applied.first(), records.first());
        let none = || "-".to_owned();
        let by = |applied: &&Applied| match &applied.by {
            By::Key(key) => format!("key {}", beginning(key, 8)),
            By::Caller(arn) => arn.rsplit(':').next().unwrap_or(arn).to_owned(),
            By::Person => "a person".to_owned(),
        };
        vec![
            Cell::new(one.story.name, Style::Bold),
            Cell::plain(applied.map_or_else(none, |applied| table::day(applied.time))),
            Cell::plain(applied.map_or_else(none, by)),
            Cell::plain(record.map_or_else(none, |record| beginning(&record.name_any(), 11))),
            Cell::plain(record.map_or("-", |record| state(record))),
            Cell::plain(record.map_or("-", |record| approver(record).unwrap_or("the manifest"))),
        ]
    }));
    for line in screen.columns(&rows) {
        screen.line(&line)?;
    }
    screen.line("")
}

/// The beginning of an id, by which people tell it from others.
fn beginning(id: &str, letters: usize) -> String {
    id.chars().take(letters).chain(['…']).collect()
}

fn state(record: &api::UpgradeRecord) -> &str {
    record.status.as_ref().and_then(|status| status.state.as_deref()).unwrap_or("-")
}

/// Who approved the upgrade, where the manifest did not.
fn approver(record: &api::UpgradeRecord) -> Option<&str> {
    record.spec.intent.approval.as_ref().map(|approval| approval.approver.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::stories::STORIES;
    use super::*;
    use payg_core::account::Cloud;

    const ACCOUNT: &str = "6f1a3c1e-0000-4a00-9000-000000000001";

    /// The story called `name`, gone as it should, with the class of offer that it should end on.
    fn ended(name: &str) -> Progress {
        let story = STORIES.iter().find(|story| story.name == name).unwrap();
        let mut one = Progress::new(story, AccountId::parse(Cloud::Azure.name(), ACCOUNT).unwrap());
        one.reasons = story.path.iter().map(|reason| (*reason).to_owned()).collect();
        let mut subscription = json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "Subscription", "metadata": {},
            "spec": {"providerName": "azure", "account": {"azure": {"subscriptionId": ACCOUNT}}, "offer": "PayAsYouGo",
                "upgrade": {"when": "Never", "approval": "Manual"}}});
        if name != "suspended" {
            subscription["status"] = json!({"offer": {"class": "PayAsYouGo"}});
        }
        one.subscription = Some(serde_json::from_value(subscription).unwrap());
        one
    }

    fn by(key: Option<&str>) -> Applied {
        let by = key.map_or(By::Person, |key| By::Key(key.to_owned()));
        Applied { account: ACCOUNT.to_owned(), time: Timestamp::UNIX_EPOCH, by }
    }

    fn record(state: &str) -> api::UpgradeRecord {
        serde_json::from_value(json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "UpgradeRecord",
            "metadata": {"name": "up-1"}, "status": {"state": state},
            "spec": {"key": "1", "account": {"cloud": "azure", "id": ACCOUNT}, "from": {"class": "FreeTrial"},
                "to": {"class": "PayAsYouGo"}, "requester": {"namespace": "team-a", "name": "x", "uid": "1"},
                "intent": {"id": "1", "notAfterTime": "2026-11-23T12:00:00Z",
                    "evidence": {"observedTime": "2026-11-23T12:00:00Z", "summary": ""}}}}))
        .unwrap()
    }

    fn found(name: &str, applied: Vec<Applied>, records: Vec<api::UpgradeRecord>) -> usize {
        problems(&ended(name), &Books { applied, records, observes_suspended: 0 }).len()
    }

    #[test]
    fn books_that_do_not_match_are_found() {
        let key = AccountId::parse(Cloud::Azure.name(), ACCOUNT).unwrap().upgrade_key().idempotency_key().to_string();
        let (ours, confirmed) = (|| by(Some(&key)), || record("Confirmed"));
        assert_eq!(found("credit-spent", vec![ours()], vec![confirmed()]), 0);
        assert_eq!(found("credit-spent", vec![ours()], vec![]), 1, "no record");
        assert_eq!(found("credit-spent", vec![], vec![confirmed()]), 1, "nothing applied");
        assert_eq!(found("credit-spent", vec![ours(), ours()], vec![confirmed()]), 1, "applied twice");
        assert_eq!(found("credit-spent", vec![by(Some("another"))], vec![confirmed()]), 1, "another key");
        assert_eq!(found("credit-spent", vec![ours()], vec![record("Unknown")]), 1, "not confirmed");
        assert_eq!(found("ask-first", vec![ours()], vec![confirmed()]), 1, "nobody has approved");
        assert_eq!(found("by-portal", vec![by(None)], vec![]), 0);
        assert_eq!(found("by-portal", vec![by(None)], vec![confirmed()]), 1, "a record of what a person did");
        assert_eq!(found("suspended", vec![], vec![]), 0);
        assert_eq!(found("suspended", vec![ours()], vec![confirmed()]), 2);
    }

    #[test]
    fn aws_tells_upgrades_by_who_called() {
        let account = AccountId::parse("aws", "123456789012").unwrap();
        assert_eq!(by_operator(&account), By::Caller("arn:aws:iam::123456789012:user/payg".to_owned()));
        let entry = json!({"account": "123456789012", "billingTime": "2026-11-23T12:00:00Z",
            "by": {"caller": "arn:aws:iam::123456789012:user/payg"}});
        assert_eq!(applied(&entry).unwrap().by, by_operator(&account));
    }

    #[test]
    fn a_story_that_went_another_way_is_found() {
        let books = || Books { applied: vec![], records: vec![], observes_suspended: 0 };
        let mut one = ended("already-paid");
        assert_eq!(problems(&one, &books()), Vec::<String>::new());
        one.reasons.clear();
        assert_eq!(problems(&one, &books()).len(), 1);
        one = ended("suspended");
        assert_eq!(problems(&one, &Books { observes_suspended: 1, ..books() }).len(), 1);
        assert_eq!(strays(&[], &Books { applied: vec![by(None)], ..books() }).len(), 1);
    }
}
