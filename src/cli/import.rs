//! `payg import`: manifests for the accounts that a BillingProvider sees and no Subscription names.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use kube::Api;
use payg_api::{BillingProvider, BillingProviderSpec};
use payg_clock::Clock;
use payg_core::account::{AccountId, Cloud};

use super::cluster::{self, ClusterArgs};
use super::operator::CloudArgs;
use super::{Error, files, plan, show};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the BillingProvider
    #[arg(long, value_name = "NAME")]
    provider: String,
    /// Manifests to use instead of a cluster, as for `payg plan`: file, directory, or - for standard input; repeatable
    #[arg(short, long = "filename", value_name = "PATH")]
    filename: Vec<PathBuf>,
    /// Directory to write to, one file for each account and a kustomization.yaml; - prints the manifests
    #[arg(short, long, value_name = "DIR", default_value = "-")]
    output: PathBuf,
    /// When the accounts are to be upgraded
    #[arg(long, value_enum, default_value = "never")]
    when: When,
    /// Whether an upgrade needs an approval
    #[arg(long, value_enum, default_value = "manual")]
    approval: Approval,
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    clouds: CloudArgs,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum When {
    Never,
    BenefitsExhausted,
    Immediately,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Approval {
    Manual,
    Automatic,
}

pub async fn run(args: Args, clock: Clock) -> ExitCode {
    cluster::told(import(args, clock).await)
}

async fn import(args: Args, clock: Clock) -> Result<(), Error> {
    let (namespace, accounts) = if args.filename.is_empty() {
        of_cluster(&args).await?
    } else {
        let namespace = args.cluster.namespace.clone().unwrap_or_else(|| "default".to_owned());
        let of = (namespace.as_str(), args.provider.as_str());
        let accounts = plan::undeclared(&args.filename, of, args.clouds, clock).await?;
        (namespace, accounts)
    };
    let terms = Terms { namespace: &namespace, provider: &args.provider, when: args.when, approval: args.approval };
    let manifests: Vec<_> = accounts.iter().map(|account| terms.manifest(account)).collect();
    if manifests.is_empty() {
        eprintln!("Every account that BillingProvider `{}` sees has a Subscription.", args.provider);
        return Ok(());
    }
    if args.output == Path::new("-") {
        let texts: Vec<_> = manifests.into_iter().map(|(_, text)| text).collect();
        return cluster::print(&texts.join("---\n"));
    }
    write(&args.output, &manifests)
}

/// The namespace, and what the operator has written into the status of the BillingProvider.
async fn of_cluster(args: &Args) -> Result<(String, Vec<AccountId>), Error> {
    let (client, namespace) = args.cluster.connect()?;
    let api: Api<BillingProvider> = Api::namespaced(client, &namespace);
    let advice = "Ask an administrator for read access, for example through the ClusterRole payg-viewer.";
    let found = api.get_opt(&args.provider).await.map_err(|error| cluster::refusal(error, advice))?;
    let name = &args.provider;
    let provider = found.ok_or_else(|| format!("there is no BillingProvider `{name}` in namespace `{namespace}`"))?;
    let accounts = provider.status.and_then(|status| status.accounts).ok_or_else(|| {
        format!(
            "the operator has no list of the accounts that BillingProvider `{name}` sees; `kubectl describe \
             billingproviders.payg-operator.io {name} -n {namespace}` shows why"
        )
    })?;
    if usize::try_from(accounts.undeclared).is_ok_and(|count| count > accounts.undeclared_ids.len()) {
        let (listed, all) = (accounts.undeclared_ids.len(), accounts.undeclared);
        eprintln!(
            "The status lists {listed} of {all} accounts. Apply these manifests, and import again 5 minutes later."
        );
    }
    let cloud = match provider.spec {
        BillingProviderSpec::Azure(_) => Cloud::Azure,
        BillingProviderSpec::Aws(_) => Cloud::Aws,
    };
    let ids = accounts.undeclared_ids.iter();
    Ok((namespace, ids.filter_map(|id| AccountId::parse(cloud.name(), id)).collect()))
}

/// What all manifests have in common.
struct Terms<'a> {
    namespace: &'a str,
    provider: &'a str,
    when: When,
    approval: Approval,
}

impl Terms<'_> {
    /// The name of the Subscription of `account`, and its manifest.
    fn manifest(&self, account: &AccountId) -> (String, String) {
        let Self { namespace, provider, when, approval } = self;
        let (cloud, id) = (account.cloud().name(), account.id());
        let name = format!("{cloud}-{id}");
        let key = match account {
            AccountId::Azure(_) => "subscriptionId",
            AccountId::Aws(_) => "accountId",
        };
        let text = format!(
            "apiVersion: payg-operator.io/v1alpha1
kind: Subscription
metadata:
  name: {name}
  namespace: {namespace:?}
spec:
  providerName: {provider:?}
  account:
    {cloud}: {{{key}: \"{id}\"}}
  offer: PayAsYouGo
  upgrade: {{when: {when:?}, approval: {approval:?}}}
"
        );
        (name, text)
    }
}

/// Writes the manifests into `dir`, and a kustomization.yaml that names them. What is there already stays as it is.
fn write(dir: &Path, manifests: &[(String, String)]) -> Result<(), Error> {
    fs::create_dir_all(dir).map_err(|error| format!("{} cannot be created: {error}", dir.display()))?;
    let (mut new, mut kept) = (Vec::new(), Vec::new());
    for (name, text) in manifests {
        let file = format!("{name}.yaml");
        let list = if files::create(&dir.join(&file), text.as_bytes())? { &mut new } else { &mut kept };
        list.push(file);
    }
    let shown = |files: &[String]| files.iter().map(|file| format!("- {file}\n")).collect::<Vec<_>>().concat();
    let head = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n";
    let kustomization = dir.join("kustomization.yaml");
    let is_new = files::create(&kustomization, format!("{head}{}", shown(&[&new[..], &kept[..]].concat())).as_bytes())?;
    cluster::print(&format!("{} manifests written to {}\n", new.len(), show::printable(&dir.display().to_string())))?;
    if !kept.is_empty() {
        eprintln!("These files were there and were not changed:\n{}", shown(&kept));
    }
    if !is_new && !new.is_empty() {
        eprintln!("{} was there and was not changed. Add to its resources:\n{}", kustomization.display(), shown(&new));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifests(ids: &[&str]) -> Vec<(String, String)> {
        let terms = Terms { namespace: "team-a", provider: "azure", when: When::Never, approval: Approval::Manual };
        ids.iter().map(|id| terms.manifest(&AccountId::Azure(id.parse().unwrap()))).collect()
    }

    const ONE: &str = "6f1a3c1e-0000-4a00-9000-00000000f7ee";
    const OTHER: &str = "6f1a3c1e-0000-4a00-9000-00000000f7ef";

    #[test]
    fn a_manifest_is_a_subscription_that_upgrades_nothing() {
        let (name, text) = manifests(&[ONE]).remove(0);
        let subscription: payg_api::Subscription = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(subscription.metadata.name, Some(name));
        assert_eq!(subscription.metadata.namespace.as_deref(), Some("team-a"));
        assert_eq!(subscription.spec.upgrade.when, payg_api::When::Never);
        assert_eq!(subscription.spec.upgrade.approval, payg_api::ApprovalMode::Manual);
    }

    #[test]
    fn nothing_that_is_there_is_changed() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &manifests(&[ONE])).unwrap();
        let file = dir.path().join(format!("azure-{ONE}.yaml"));
        fs::write(&file, "mine").unwrap();
        let kustomization = fs::read_to_string(dir.path().join("kustomization.yaml")).unwrap();
        assert!(kustomization.ends_with(&format!("resources:\n- azure-{ONE}.yaml\n")), "{kustomization}");
        write(dir.path(), &manifests(&[ONE, OTHER])).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
        assert_eq!(fs::read_to_string(dir.path().join("kustomization.yaml")).unwrap(), kustomization);
        assert!(dir.path().join(format!("azure-{OTHER}.yaml")).exists());
    }
}
