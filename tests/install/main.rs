//! Installs the chart, and the manifests that are rendered from it, on a real API server, with the real
//! Helm, kustomize and linters; and that the operator has the rights that it uses and no others.
#![allow(clippy::unwrap_used, clippy::panic, clippy::needless_pass_by_value, reason = "these are tests")]

mod chart;
mod cluster;
mod lint;
mod manifests;
mod releases;
mod rights;
mod schemas;
