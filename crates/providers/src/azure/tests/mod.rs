//! The provider against a server of its own that answers byte by byte as a test scripts it.

mod answers;
mod bodies;
mod credit;
mod described;
mod identities;
mod interpret;
mod list;
mod operations;
mod properties;
mod reads;
mod remaining;
mod server;
mod subsets;
mod tokens;
mod upgrades;

use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use self::server::Server;
use super::{Azure, AzureCloud, Broker, Connections, Credential, Settings, UpgradeMethod};
use payg_core::account::AccountId;
use payg_core::provider::ProviderError;

const ID: &str = "6f1a3c1e-0000-4a00-9000-00000000f7ee";
const TENANT: Uuid = Uuid::from_u128(0x72f9_88bf_0000_4a00_9000_0000_0000_00aa);
const CLIENT: Uuid = Uuid::from_u128(0x11);
const SECRET: &str = "the~secret";
const TOKEN: &str = "the.token";
const DEADLINE: Duration = Duration::from_secs(10);

/// What the issuer answers when all is well.
const GRANTED: &str = r#"{"token_type":"Bearer","expires_in":3599,"ext_expires_in":3599,"access_token":"the.token"}"#;

fn account() -> AccountId {
    AccountId::parse("azure", ID).unwrap()
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn settings(server: &Server) -> Settings {
    Settings {
        arm_endpoint: Some(server.url("/")),
        authority_host: Some(server.url("")),
        imds_endpoint: Some(server.url("/")),
        broker: Some(Broker { url: server.url("/broker/"), scope: "api://broker/.default".to_owned() }),
        trust_anchor_pem: Some(server.certificate.clone().into_bytes()),
        ..Settings::default()
    }
}

fn azure(settings: Settings, method: UpgradeMethod) -> Azure {
    let credential = Credential::ClientSecret { client_id: CLIENT, secret: SECRET.into() };
    let connections = Connections::new(settings).unwrap();
    Azure::new(&connections, AzureCloud::Public, TENANT, credential, method).unwrap()
}

impl Azure {
    /// Asks for a token, and for nothing else.
    async fn check(&self, deadline: Duration) -> Result<(), ProviderError> {
        super::within("Azure", deadline, self.tokens.get(self.cloud.scope())).await.map(|_| ())
    }
}
