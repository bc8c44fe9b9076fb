//! A real Kubernetes control plane for tests and demos: etcd, kube-apiserver and kube-controller-manager on free
//! loopback ports, ready in seconds, with RBAC on.
//!
//! There is no kubelet: Pods are created and stay Pending.
//!
//! ```no_run
//! # async fn example() -> Result<(), payg_test_kit::Error> {
//! let control_plane = payg_test_kit::ControlPlane::start().await?;
//! let client = control_plane.admin_client()?;
//! # Ok(()) }
//! ```
//!
//! Nothing is left behind, however the process that called [`ControlPlane::start`] ends; see [`Process`] for the
//! processes and [`ControlPlane::keep_logs`] for the files. Linux only: it needs `setpriv` of util-linux.

mod assets;
mod certs;
mod control_plane;
mod error;
mod etcd;
mod eventually;
#[cfg(feature = "fake-api")]
pub mod fake_api;
mod kubeconfig;
mod launch;
mod process;
mod programs;
#[cfg(feature = "rsa")]
mod rsa_certificate;
mod simulator;
mod stack;
pub mod tools;
mod work_dir;
pub mod world;

pub use control_plane::ControlPlane;
pub use error::Error;
pub use eventually::eventually;
pub use kubeconfig::client;
pub use process::Process;
pub use programs::payg_dev;
#[cfg(feature = "rsa")]
pub use rsa_certificate::RsaCertificate;
pub use simulator::Simulator;
pub use stack::{Clock, REPOSITORY, Stack};
