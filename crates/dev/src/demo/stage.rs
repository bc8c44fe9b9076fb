//! All that the demo needs around it: a control plane with the operator's kinds in it, simulated clouds, and the operator.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use payg_test_kit::{Process, REPOSITORY, Stack};
use tokio::time::sleep;

use super::accounts;
use super::screen::Screen;
use super::stories::APPROVER;
use payg_core::account::AccountId;
use payg_operator::cli::Error;
use payg_operator::cli::columns::{Style, cut};

/// Where the Subscriptions are.
pub const NAMESPACE: &str = "team-a";
/// A day reconciles in a second.
const RATE: u32 = 86_400;
/// How long it may take until what was granted is in force.
const GRANTED_WITHIN: Duration = Duration::from_secs(30);

/// What the stories play on.
pub struct Stage {
    pub stack: Stack,
    operator: Option<Process>,
    /// When the accounts were made (billing clock).
    pub start: Timestamp,
    /// The accounts of the stories, in their order.
    pub accounts: Vec<AccountId>,
    /// The kubeconfig of the user who approves.
    pub approver: PathBuf,
    /// From when on an approval counts (wall clock): the admission policies are surely in force then.
    pub approvals_count_from: Timestamp,
}

impl Stage {
    /// Starts what has nothing of ours in it yet.
    pub async fn launch(screen: &mut Screen) -> Result<Self, Error> {
        let payg = std::env::current_exe()?;
        let what = "start a Kubernetes control plane, a simulated Azure and a simulated AWS";
        let stack = step(screen, what, async || Ok(Stack::launch(&payg, RATE).await?)).await?;
        let approver = stack.control_plane.user_kubeconfig(APPROVER, &[])?;
        let approvals_count_from = Timestamp::MAX;
        Ok(Self {
            start: stack.clock.now(),
            stack,
            operator: None,
            accounts: Vec::new(),
            approver,
            approvals_count_from,
        })
    }

    /// Installs the operator as an administrator would, and uses it as a team would.
    pub async fn set(&mut self, screen: &mut Screen) -> Result<(), Error> {
        let stack = &self.stack;
        step(screen, "kubectl apply --server-side -k deploy/kustomize/base", async || Ok(stack.install().await?))
            .await?;
        self.approvals_count_from = stack.approvals_count_from()?;
        let start = async || Ok(stack.operator("operator", &[]).await?);
        self.operator = Some(step(screen, "start the operator under its own ServiceAccount", start).await?);
        self.give_credentials(screen).await?;

        let accounts = async || accounts::make(&self.stack).await;
        let made =
            step(screen, "make eight accounts in the simulated Azure and one in the simulated AWS", accounts).await?;
        let folders: Vec<_> = made.samples.iter().map(|folder| folder.to_string_lossy()).collect();
        let apply = async || {
            let files = folders.iter().flat_map(|folder| ["-f", folder]);
            self.kubectl(&["apply"].into_iter().chain(files).collect::<Vec<_>>())
        };
        step(screen, "kubectl apply -f deploy/samples/azure -f deploy/samples/aws", apply).await?;
        (self.start, self.accounts) = (made.start, made.accounts);
        Ok(())
    }

    /// Lets the operator look at the accounts, and waits until it says that it can.
    async fn give_credentials(&self, screen: &mut Screen) -> Result<(), Error> {
        let namespace = async || self.kubectl(&["create", "namespace", NAMESPACE]);
        step(screen, &format!("kubectl create namespace {NAMESPACE}"), namespace).await?;

        let secret = async || {
            let literal = format!("--from-literal=clientSecret={}", accounts::SECRET);
            self.kubectl(&["create", "secret", "generic", "azure-credentials", &literal])
        };
        step(screen, "kubectl create secret generic azure-credentials --from-literal=…", secret).await?;

        let rights = async || {
            self.apply("azure/secret-reader.yaml")?;
            self.until_operator_may("get", "secrets/azure-credentials").await
        };
        step(screen, "kubectl apply -f deploy/samples/azure/secret-reader.yaml", rights).await?;

        let provider = async || {
            accounts::make_client(&self.stack).await?;
            self.apply("azure/billing-provider.yaml")?;
            let ready = "--for=condition=Ready";
            self.kubectl(&["wait", ready, "--timeout=90s", "billingproviders.payg-operator.io/azure"])
        };
        step(screen, "kubectl apply -f deploy/samples/azure/billing-provider.yaml", provider).await?;

        let aws = async || {
            let (id, key) = accounts::ACCESS_KEY;
            let literals =
                [format!("--from-literal=accessKeyId={id}"), format!("--from-literal=secretAccessKey={key}")];
            self.kubectl(&["create", "secret", "generic", "aws-credentials", &literals[0], &literals[1]])?;
            self.apply("aws/secret-reader.yaml")?;
            self.until_operator_may("get", "secrets/aws-credentials").await
        };
        step(screen, "the same for AWS", aws).await?;

        let approver = async || self.apply("approver.yaml");
        step(screen, "kubectl apply -f deploy/samples/approver.yaml", approver).await
    }

    /// Runs kubectl as the administrator, in the namespace.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<(), Error> {
        self.stack.kubectl(&[&["--namespace", NAMESPACE], arguments].concat())?;
        Ok(())
    }

    fn apply(&self, sample: &str) -> Result<(), Error> {
        self.kubectl(&["apply", "-f", &format!("{REPOSITORY}/deploy/samples/{sample}")])
    }

    /// The API server takes a moment to heed a new RoleBinding.
    async fn until_operator_may(&self, verb: &str, resource: &str) -> Result<(), Error> {
        let operator = "--as=system:serviceaccount:payg-operator:payg-operator";
        let deadline = Instant::now() + GRANTED_WITHIN;
        loop {
            match self.kubectl(&["auth", "can-i", verb, resource, operator]) {
                Ok(()) => return Ok(()),
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => sleep(Duration::from_millis(100)).await,
            }
        }
    }
}

/// What went wrong.
impl Stage {
    /// Fails if the operator has ended.
    pub fn check_operator(&mut self) -> Result<(), Error> {
        match self.operator.as_mut().map(Process::try_wait).transpose()?.flatten() {
            Some(status) => Err(format!("the operator exited unexpectedly ({status})").into()),
            None => Ok(()),
        }
    }

    /// The file with what the operator writes.
    pub fn operator_log(&self) -> Option<&Path> {
        self.operator.as_ref().map(Process::log_path)
    }

    /// Keeps the logs, and prints where they are and how the operator's ends.
    pub fn post_mortem(&self) {
        if let Some(operator) = &self.operator {
            eprintln!("\nThe end of the operator's log:\n{}\n", operator.log_tail(20));
        }
        self.stack.control_plane.keep_logs();
    }
}

/// Does something, and says what and how long it took.
async fn step<T>(screen: &mut Screen, what: &str, act: impl AsyncFnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let begun = Instant::now();
    screen.draw(vec![cut(&format!("  … {what}"), screen.width())])?;
    let done = act().await?;
    let took = screen.paint(Style::Dim, &format!("({:.1} s)", begun.elapsed().as_secs_f32()));
    let line = format!("  {} {what} {took}", screen.paint(Style::Good, "✓"));
    screen.draw(Vec::new())?;
    screen.line(&line)?;
    Ok(done)
}
