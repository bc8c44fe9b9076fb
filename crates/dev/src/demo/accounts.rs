//! The accounts of the stories, as the samples name them, in the simulated clouds.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use payg_test_kit::{REPOSITORY, Stack};
use serde_json::{Value, json};

use super::stories::{STORIES, filled_in};
use payg_api as api;
use payg_core::account::{AccountId, Cloud};
use payg_operator::cli::Error;

/// The client secret that the simulated Azure knows.
pub const SECRET: &str = "a-client-secret";
/// The access key that the simulated AWS knows.
pub const ACCESS_KEY: (&str, &str) = ("AKIAPAYGDEMO00000001", "a-secret-access-key");
/// The user of AWS whose it is.
pub const AWS_USER: &str = "payg";
/// What it may do: what deploy/aws/observe-and-upgrade-policy.json allows.
const AWS_ACTIONS: [&str; 4] = [
    "freetier:GetAccountPlanState",
    "account:GetAccountInformation",
    "billing:GetCredits",
    "freetier:UpgradeAccountPlan",
];
/// An account that has stopped works again two days after its upgrade, so that one sees it being accepted first.
const REACTIVATION_SECONDS: u32 = 2 * 86_400;

/// What was made.
pub struct Made {
    /// When (billing clock).
    pub start: Timestamp,
    /// In the order of the stories.
    pub accounts: Vec<AccountId>,
    /// Copies of the folders of the samples, with the dates of these accounts filled in.
    pub samples: Vec<PathBuf>,
}

/// Makes the application whose credentials the operator has.
pub async fn make_client(stack: &Stack) -> Result<(), Error> {
    let azure = azure()?;
    let api::AzureCredentials::Secret(secret) = azure.credentials else {
        return Err("the sample of a BillingProvider has no Secret".into());
    };
    let client = json!({"tenantId": azure.tenant_id, "clientId": secret.client_id, "clientSecret": SECRET,
        "subscriptions": "*", "billing": "Reader", "broker": true});
    stack.simulator.post("clients", &client).await?;
    Ok(())
}

/// Makes the account of each story.
pub async fn make(stack: &Stack) -> Result<Made, Error> {
    let tenant = azure()?.tenant_id;
    // In whole seconds, as Azure's dates are.
    let start = Timestamp::from_second(stack.clock.now().as_second())?;
    let samples = [Cloud::Azure, Cloud::Aws].map(|cloud| copy_samples(stack, cloud, start));
    let samples = samples.into_iter().collect::<Result<_, _>>()?;
    let mut accounts = Vec::new();
    for story in &STORIES {
        let file = copies(stack, story.cloud).join(format!("{}.yaml", story.name));
        let manifest: api::Subscription = read(&file)?;
        let mut settings = json!({"startTime": start, "displayName": story.name});
        let (id, own) = match manifest.spec.account {
            api::Account::Azure(account) => (
                account.subscription_id.clone(),
                json!({"subscriptionId": account.subscription_id, "tenantId": tenant,
                    "reactivationDelaySeconds": REACTIVATION_SECONDS, "broker": {"retryAfterSeconds": 1}}), // a day
            ),
            api::Account::Aws(account) => (account.account_id.clone(), json!({"accountId": account.account_id})),
        };
        for more in [own, (story.account)(start)] {
            if let (Value::Object(settings), Value::Object(more)) = (&mut settings, more) {
                settings.extend(more);
            }
        }
        stack.simulator.post("accounts", &settings).await?;
        if story.cloud == Cloud::Aws {
            let user = json!({"accountId": id, "userName": AWS_USER, "accessKeyId": ACCESS_KEY.0,
                "secretAccessKey": ACCESS_KEY.1, "allow": AWS_ACTIONS});
            stack.simulator.post("clients", &user).await?;
        }
        accounts.push(AccountId::parse(story.cloud.name(), &id).ok_or("a sample's account id does not fit its cloud")?);
    }
    Ok(Made { start, accounts, samples })
}

const NOT_AZURE: &str = "a sample in deploy/samples/azure is not for Azure";

/// The samples' BillingProvider.
fn azure() -> Result<api::AzureProvider, Error> {
    let provider: api::BillingProvider = read(&folder(Cloud::Azure).join("billing-provider.yaml"))?;
    match provider.spec {
        api::BillingProviderSpec::Azure(azure) => Ok(azure),
        api::BillingProviderSpec::Aws(_) => Err(NOT_AZURE.into()),
    }
}

fn copy_samples(stack: &Stack, cloud: Cloud, start: Timestamp) -> Result<PathBuf, Error> {
    let (samples, copies) = (folder(cloud), copies(stack, cloud));
    let copy = || -> io::Result<()> {
        fs::create_dir_all(&copies)?;
        for entry in fs::read_dir(&samples)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                continue; // other ways to sign in: kubectl does not look into folders either
            }
            fs::write(copies.join(entry.file_name()), filled_in(&fs::read_to_string(entry.path())?, start))?;
        }
        Ok(())
    };
    copy().map_err(|error| format!("{} cannot be copied to {}: {error}", samples.display(), copies.display()))?;
    Ok(copies)
}

fn copies(stack: &Stack, cloud: Cloud) -> PathBuf {
    stack.control_plane.dir().join("samples").join(cloud.name())
}

fn folder(cloud: Cloud) -> PathBuf {
    Path::new(REPOSITORY).join("deploy/samples").join(cloud.name())
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let text = fs::read_to_string(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    serde_saphyr::from_str(&text).map_err(|error| format!("{} cannot be understood: {error}", path.display()).into())
}
