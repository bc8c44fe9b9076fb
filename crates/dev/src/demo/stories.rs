//! The accounts of the demo and what is to become of them. Each has a manifest of the same name in the folder of its
//! cloud in deploy/samples.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use payg_core::account::Cloud;

/// An account, and the way that its Subscription goes.
#[derive(Debug)]
pub struct Story {
    /// The name of the Subscription and of its manifest.
    pub name: &'static str,
    /// What it is about, for the audience.
    pub about: &'static str,
    /// Where the account is.
    pub cloud: Cloud,
    /// What the simulator needs to make the account at this billing time.
    pub account: fn(Timestamp) -> Value,
    /// Reasons of the Ready condition that must be seen, in this order; the story has ended at the last.
    pub path: &'static [&'static str],
    /// Who upgrades the account.
    pub upgraded: Upgraded,
}

/// Who upgrades an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upgraded {
    /// The operator, as the manifest says.
    ByManifest,
    /// The operator, after [`APPROVER`] has approved it.
    ByApproval,
    /// A person, in the portal.
    InThePortal,
    /// Nobody.
    Never,
}

/// The user who approves.
pub const APPROVER: &str = "jane";

/// In the order of the table. Each ends on a day of its own.
pub static STORIES: [Story; 9] = [
    Story {
        name: "credit-spent",
        about: "a free trial that runs out of credit",
        cloud: Cloud::Azure,
        account: |_| json!({"offer": "FreeTrial", "agreement": "MCA", "burnPerDay": "25"}),
        path: &[WAITING, IN_PLACE],
        upgraded: Upgraded::ByManifest,
    },
    Story {
        name: "thirty-days",
        about: "a free trial whose 30 days end with credit left",
        cloud: Cloud::Azure,
        account: |_| json!({"offer": "FreeTrial", "agreement": "MOSP", "burnPerDay": "3"}),
        path: &[WAITING, IN_PLACE],
        upgraded: Upgraded::ByManifest,
    },
    Story {
        name: "imagine",
        about: "Microsoft Imagine; Azure reports no end, so the manifest declares one",
        cloud: Cloud::Azure,
        account: |start| json!({"offer": "Imagine", "startTime": start - IMAGINE_AGE}),
        path: &[WAITING, IN_PLACE],
        upgraded: Upgraded::ByManifest,
    },
    Story {
        name: "immediately",
        about: "upgraded at once; its remaining benefits stay usable",
        cloud: Cloud::Azure,
        account: |_| json!({"offer": "FreeTrial", "agreement": "MCA", "burnPerDay": "9"}),
        path: &["UpgradeAccepted", IN_PLACE],
        upgraded: Upgraded::ByManifest,
    },
    Story {
        name: "ask-first",
        about: "waits until someone approves its upgrade",
        cloud: Cloud::Azure,
        account: |_| json!({"offer": "FreeTrial", "agreement": "MCA", "burnPerDay": "14"}),
        path: &[WAITING, "AwaitingApproval", IN_PLACE],
        upgraded: Upgraded::ByApproval,
    },
    Story {
        name: "by-portal",
        about: "a person must upgrade it in the portal",
        cloud: Cloud::Azure,
        account: |_| json!({"offer": "FreeTrial", "agreement": "MCA", "burnPerDay": "8"}),
        path: &[WAITING, "AwaitingPortalUpgrade", IN_PLACE],
        upgraded: Upgraded::InThePortal,
    },
    Story {
        name: "free-plan",
        about: "an AWS Free plan, upgraded while credit is left, because AWS closes it otherwise",
        cloud: Cloud::Aws,
        account: |_| json!({"burnPerDay": "5"}),
        path: &[WAITING, IN_PLACE],
        upgraded: Upgraded::ByManifest,
    },
    Story {
        name: "already-paid",
        about: "on pay-as-you-go from the start",
        cloud: Cloud::Azure,
        account: |_| json!({"offer": "PayAsYouGo"}),
        path: &[IN_PLACE],
        upgraded: Upgraded::Never,
    },
    Story {
        name: "suspended",
        about: "left alone, because its manifest suspends it",
        cloud: Cloud::Azure,
        // It can still be upgraded long after its end, for those who look around.
        account: |_| json!({"offer": "FreeTrial", "agreement": "MCA", "burnPerDay": "10", "graceDays": 36_500}),
        path: &["Suspended"],
        upgraded: Upgraded::Never,
    },
];

const WAITING: &str = "WaitingForExhaustion";
const IN_PLACE: &str = "OfferInPlace";

/// Microsoft Imagine lasts 365 days; this one is nearly over.
const IMAGINE_AGE: SignedDuration = SignedDuration::from_hours(325 * 24);
const IMAGINE_LEFT: SignedDuration = SignedDuration::from_hours(40 * 24);

/// What the manifests leave to be filled in, for accounts that are made at `start` (billing clock).
pub fn filled_in(manifest: &str, start: Timestamp) -> String {
    let end = start + IMAGINE_LEFT;
    manifest.replace("START-OF-TRIAL", &start.to_string()).replace("END-OF-TRIAL", &end.to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use payg_test_kit::REPOSITORY;

    use super::*;
    use payg_api as api;

    #[test]
    fn every_story_has_a_manifest_of_its_own() {
        let mut accounts = BTreeSet::new();
        for story in &STORIES {
            let text =
                fs::read_to_string(format!("{REPOSITORY}/deploy/samples/{}/{}.yaml", story.cloud.name(), story.name))
                    .unwrap();
            let manifest: api::Subscription =
                serde_saphyr::from_str(&filled_in(&text, Timestamp::UNIX_EPOCH + IMAGINE_AGE * 50)).unwrap();
            assert_eq!(manifest.metadata.name.as_deref(), Some(story.name));
            assert!(accounts.insert(format!("{:?}", manifest.spec.account)), "{} has another's account", story.name);
            assert_eq!(manifest.spec.suspend == Some(true), story.path == ["Suspended"]);
        }
    }
}
