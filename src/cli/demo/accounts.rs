//! The accounts of the stories, as the samples name them, in the simulated Azure.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use payg_test_support::{REPOSITORY, Stack};
use serde_json::{Value, json};

use super::stories::{STORIES, filled_in};
use crate::api;
use crate::cli::Error;
use crate::core::account::{AccountId, Cloud};

/// The client secret that the simulated Azure knows.
pub const SECRET: &str = "a-client-secret";
/// An account that has stopped works again two days after its upgrade, so that one sees it being accepted first.
const REACTIVATION_SECONDS: u32 = 2 * 86_400;

/// What was made.
pub struct Made {
    /// When (billing clock).
    pub start: Timestamp,
    /// In the order of the stories.
    pub accounts: Vec<AccountId>,
    /// A copy of the folder of the samples, with the dates of these accounts filled in.
    pub samples: PathBuf,
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
    let samples = copy_samples(stack, start)?;
    let mut accounts = Vec::new();
    for story in &STORIES {
        let manifest: api::Subscription = read(&samples.join(format!("{}.yaml", story.name)))?;
        let api::Account::Azure(account) = manifest.spec.account else { return Err(NOT_AZURE.into()) };
        let mut settings = json!({"subscriptionId": account.subscription_id, "tenantId": tenant, "startTime": start,
            "displayName": story.name, "reactivationDelaySeconds": REACTIVATION_SECONDS,
            "broker": {"retryAfterSeconds": 1}}); // a day
        if let (Value::Object(settings), Value::Object(own)) = (&mut settings, (story.account)(start)) {
            settings.extend(own);
        }
        stack.simulator.post("accounts", &settings).await?;
        let id = AccountId::parse(Cloud::Azure.name(), &account.subscription_id);
        accounts.push(id.ok_or("a sample's subscription id is not a GUID")?);
    }
    Ok(Made { start, accounts, samples })
}

const NOT_AZURE: &str = "a sample in deploy/samples/azure is not for Azure";

/// The samples' BillingProvider.
fn azure() -> Result<api::AzureProvider, Error> {
    let provider: api::BillingProvider = read(&folder().join("billing-provider.yaml"))?;
    match provider.spec {
        api::BillingProviderSpec::Azure(azure) => Ok(azure),
        api::BillingProviderSpec::Aws(_) => Err(NOT_AZURE.into()),
    }
}

fn copy_samples(stack: &Stack, start: Timestamp) -> Result<PathBuf, Error> {
    let (samples, copies) = (folder(), stack.control_plane.dir().join("samples"));
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

fn folder() -> PathBuf {
    Path::new(REPOSITORY).join("deploy/samples/azure")
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let text = fs::read_to_string(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    serde_saphyr::from_str(&text).map_err(|error| format!("{} cannot be understood: {error}", path.display()).into())
}
