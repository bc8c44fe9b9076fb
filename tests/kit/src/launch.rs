//! The ports, files and command lines of the three processes.

use std::{
    io,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
};

use rcgen::KeyPair;

use crate::{Error, assets::Assets, certs::Authority, kubeconfig, work_dir::WorkDir};

/// What the audit log holds of requests: who requested what as which ServiceAccount, and the rule that allowed it. Not what was sent or answered.
const AUDIT_POLICY: &str = "
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: None, userGroups: ['system:serviceaccounts:kube-system']}
- {level: Metadata, userGroups: ['system:serviceaccounts']}
- {level: None}
";

/// The file, among those of the processes.
pub(crate) const AUDIT_LOG: &str = "audit.log";

/// Loopback ports.
pub(crate) struct Ports {
    pub(crate) etcd: u16,
    pub(crate) etcd_peer: u16,
    pub(crate) api_server: u16,
    pub(crate) controller_manager: u16,
}

impl Ports {
    /// Ports that are free now.
    pub(crate) fn free() -> Result<Self, Error> {
        // All four are held at once, so that they differ.
        let bind = || TcpListener::bind(("127.0.0.1", 0));
        let listeners: io::Result<[TcpListener; 4]> = (|| Ok([bind()?, bind()?, bind()?, bind()?]))();
        let ports = listeners.and_then(|[etcd, etcd_peer, api_server, controller_manager]| {
            Ok(Self {
                etcd: etcd.local_addr()?.port(),
                etcd_peer: etcd_peer.local_addr()?.port(),
                api_server: api_server.local_addr()?.port(),
                controller_manager: controller_manager.local_addr()?.port(),
            })
        });
        ports.map_err(|source| Error::io("cannot find free ports", source))
    }

    pub(crate) fn etcd_address(&self) -> String {
        format!("127.0.0.1:{}", self.etcd)
    }

    pub(crate) fn api_server_url(&self) -> String {
        format!("https://127.0.0.1:{}", self.api_server)
    }
}

/// Writes every file that the processes are started with, and returns the administrator's kubeconfig.
pub(crate) fn write_files(dir: &WorkDir, ports: &Ports, authority: &Authority) -> Result<PathBuf, Error> {
    let server = authority.server()?;
    dir.write("ca.crt", &authority.pem())?;
    dir.write("server.crt", &server.cert_pem)?;
    dir.write("server.key", &server.key_pem)?;
    let service_accounts = KeyPair::generate()?;
    dir.write("service-accounts.key", &service_accounts.serialize_pem())?;
    dir.write("service-accounts.pub", &service_accounts.public_key_pem())?;
    dir.write("audit-policy.yaml", AUDIT_POLICY)?;
    let admin = kubeconfig::certificate(&authority.client("admin", &["system:masters"])?);
    dir.write("admin.kubeconfig", &kubeconfig::render(&ports.api_server_url(), &authority.pem(), "default", &admin))
}

pub(crate) fn etcd(assets: &Assets, state: &Path, ports: &Ports) -> Command {
    let mut command = Command::new(&assets.etcd);
    command
        .arg(format!("--data-dir={}", state.join("etcd").display()))
        .arg(format!("--listen-client-urls=http://127.0.0.1:{}", ports.etcd))
        .arg(format!("--advertise-client-urls=http://127.0.0.1:{}", ports.etcd))
        .arg(format!("--listen-peer-urls=http://127.0.0.1:{}", ports.etcd_peer))
        .arg("--unsafe-no-fsync");
    command
}

pub(crate) fn api_server(assets: &Assets, state: &Path, ports: &Ports) -> Command {
    let state = state.display();
    let mut command = Command::new(&assets.apiserver);
    command
        .arg(format!("--etcd-servers=http://127.0.0.1:{}", ports.etcd))
        .arg(format!("--secure-port={}", ports.api_server))
        .arg("--bind-address=127.0.0.1")
        .arg(format!("--cert-dir={state}"))
        .arg(format!("--tls-cert-file={state}/server.crt"))
        .arg(format!("--tls-private-key-file={state}/server.key"))
        .arg(format!("--client-ca-file={state}/ca.crt"))
        .arg("--authorization-mode=RBAC")
        .arg("--allow-privileged=true")
        .arg(format!("--service-account-issuer={}", ports.api_server_url()))
        .arg(format!("--service-account-key-file={state}/service-accounts.pub"))
        .arg(format!("--service-account-signing-key-file={state}/service-accounts.key"))
        .arg("--service-cluster-ip-range=10.0.0.0/24")
        .arg(format!("--audit-policy-file={state}/audit-policy.yaml"))
        .arg(format!("--audit-log-path={state}/{AUDIT_LOG}"));
    if assets.controller_manager.is_none() {
        // Nobody makes the `default` service accounts, and without them no Pod would be admitted.
        command.arg("--disable-admission-plugins=ServiceAccount");
    }
    command
}

pub(crate) fn controller_manager(program: &Path, state: &Path, ports: &Ports) -> Command {
    let state = state.display();
    let mut command = Command::new(program);
    for flag in ["kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig"] {
        command.arg(format!("--{flag}={state}/admin.kubeconfig"));
    }
    command
        .arg(format!("--service-account-private-key-file={state}/service-accounts.key"))
        .arg(format!("--root-ca-file={state}/ca.crt"))
        .arg("--leader-elect=false")
        .arg("--use-service-account-credentials=true") // as in a real cluster: its controllers are not administrators
        .arg("--bind-address=127.0.0.1")
        .arg(format!("--secure-port={}", ports.controller_manager))
        .arg(format!("--cert-dir={state}"))
        // There are no nodes.
        .arg("--controllers=*,-nodeipam,-nodelifecycle");
    command
}
