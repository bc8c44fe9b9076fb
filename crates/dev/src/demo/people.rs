//! What people do in the stories. The operator does not do it for them.

use std::fs;
use std::time::Duration;

use jiff::Timestamp;
use payg_test_kit::REPOSITORY;
use serde_json::Value;

use super::live::{Progress, day};
use super::screen::Screen;
use super::stage::Stage;
use super::stories::{APPROVER, Upgraded};
use payg_operator::cli::Error;
use payg_operator::cli::columns::Style;

/// For how long an approval may be acted upon.
const APPROVAL_LASTS: Duration = Duration::from_hours(1);

/// Does what a person has to do in this story now, and says whether there was anything.
pub async fn act(stage: &Stage, screen: &mut Screen, one: &Progress) -> Result<bool, Error> {
    match (one.story.upgraded, one.reason()) {
        // What is approved sooner would not count.
        (Upgraded::ByApproval, "AwaitingApproval") if Timestamp::now() < stage.approvals_count_from => {
            return Ok(false);
        }
        (Upgraded::ByApproval, "AwaitingApproval") => approve(stage, screen, one)?,
        (Upgraded::InThePortal, "AwaitingPortalUpgrade") => upgrade_in_the_portal(stage, screen, one).await?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn approve(stage: &Stage, screen: &mut Screen, one: &Progress) -> Result<(), Error> {
    let status = one.subscription.as_ref().and_then(|subscription| subscription.status.as_ref());
    let transition = status.and_then(|status| status.transition.as_ref());
    let hash = &transition.ok_or("there is no `status.transition` to approve")?.hash;
    // The expiry of approvals is by the wall clock.
    let expiry = Timestamp::from_second((Timestamp::now() + APPROVAL_LASTS).as_second())?;
    let sample = format!("{REPOSITORY}/deploy/samples/upgrade-approval.yaml");
    let sample = fs::read_to_string(&sample).map_err(|error| format!("{sample} cannot be read: {error}"))?;
    let approval = sample.replace("TRANSITION-HASH", hash).replace("EXPIRE-TIME", &expiry.to_string());
    let file = stage.stack.control_plane.dir().join("upgrade-approval.yaml");
    fs::write(&file, approval).map_err(|error| format!("{} cannot be written: {error}", file.display()))?;
    stage.kubectl(&["--kubeconfig", &stage.approver.to_string_lossy(), "create", "-f", &file.to_string_lossy()])?;
    let text = format!(
        "{APPROVER} approves {}, a minute after the admission policies: kubectl create -f upgrade-approval.yaml",
        one.story.name
    );
    tell(stage, screen, &text)
}

async fn upgrade_in_the_portal(stage: &Stage, screen: &mut Screen, one: &Progress) -> Result<(), Error> {
    let status = one.subscription.as_ref().and_then(|subscription| subscription.status.as_ref());
    let upgrade = status.and_then(|status| status.upgrade.as_ref());
    let url = upgrade.and_then(|upgrade| upgrade.action_url.as_deref());
    let url = url.ok_or("there is no link in `status.upgrade.actionUrl`")?;
    let path = format!("accounts/{}/portal-upgrade", one.account.id());
    stage.stack.simulator.post(&path, &Value::Null).await?;
    tell(stage, screen, &format!("somebody opens the link of {} and upgrades: {url}", one.story.name))
}

fn tell(stage: &Stage, screen: &mut Screen, text: &str) -> Result<(), Error> {
    let line = format!("day {:>2}  {}", day(stage), screen.paint(Style::Bold, text));
    Ok(screen.line(&line)?)
}
