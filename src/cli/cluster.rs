//! Which cluster and namespace a command of a person is about.

use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use kube::api::ListParams;
use kube::{Api, Client};

use payg_api::{Subscription, UpgradeApproval};
use payg_runtime::client;

use super::{Error, show};

#[derive(Debug, clap::Args)]
pub struct ClusterArgs {
    /// Namespace; default: the namespace of the kubeconfig's context
    #[arg(short, long)]
    pub namespace: Option<String>,
    /// Path of the kubeconfig; default: $KUBECONFIG or ~/.kube/config
    #[arg(long, value_name = "PATH")]
    kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig; default: the current context
    #[arg(long)]
    context: Option<String>,
}

impl ClusterArgs {
    /// A client with the credentials of who runs the command, and the namespace that they mean.
    pub fn connect(&self) -> Result<(Client, String), Error> {
        let user_agent = concat!("payg/", env!("CARGO_PKG_VERSION"));
        let client = client::connect_user(self.kubeconfig.as_deref(), self.context.as_deref(), user_agent)?;
        let named = self.namespace.as_deref().filter(|namespace| !namespace.is_empty());
        let namespace = named.unwrap_or(client.default_namespace()).to_owned();
        Ok((client, namespace))
    }
}

/// The Subscription called `name`.
pub async fn subscription(
    client: &Client,
    namespace: &str,
    name: &str,
    refusal: fn(kube::Error) -> Error,
) -> Result<Subscription, Error> {
    let found = Api::<Subscription>::namespaced(client.clone(), namespace).get_opt(name).await.map_err(refusal)?;
    Ok(found.ok_or_else(|| format!("there is no Subscription `{name}` in namespace `{namespace}`"))?)
}

/// What people have said about the upgrade of the Subscription called `name`.
pub async fn said(client: &Client, namespace: &str, name: &str) -> kube::Result<Vec<UpgradeApproval>> {
    let params = ListParams::default().fields(&format!("spec.subscriptionName={name}"));
    let said = Api::<UpgradeApproval>::namespaced(client.clone(), namespace).list(&params).await?;
    Ok(said.items)
}

/// What the API server said; and `advice`, for those whom it does not let do what they asked for.
pub fn refusal(error: kube::Error, advice: &str) -> Error {
    match error {
        kube::Error::Api(status) if status.code == 403 => {
            format!("{}\n{advice}", show::printable(&status.message)).into()
        }
        // What an API server answers that does not have the kind.
        kube::Error::Api(status) if status.message.trim() == "404 page not found" => {
            "the cluster does not have the kinds of payg-operator.io; install them: payg crds | kubectl apply --server-side -f -"
                .into()
        }
        kube::Error::Api(status) => show::printable(&status.message).into(),
        kube::Error::Service(error) => error,
        error => error.into(),
    }
}

/// Writes data to standard output.
pub fn print(text: &str) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// The end of a command that has printed everything, without the time and the level that a log line has.
pub fn told(outcome: Result<(), Error>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // Who reads has had enough, as `head` does.
        Err(error) if error.downcast_ref().is_some_and(|error: &io::Error| error.kind() == ErrorKind::BrokenPipe) => {
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {}", show::printable_lines(&error.to_string()));
            ExitCode::FAILURE
        }
    }
}
