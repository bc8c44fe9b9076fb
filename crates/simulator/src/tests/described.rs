//! The broker answers as `docs/reference/broker.openapi.yaml` says.

use std::collections::BTreeSet;

use super::*;

const PREFIX: &str = "/subscriptions/{subscriptionId}/providers/PaygOperator.Broker/";

/// The description, and what has been seen of it.
struct Described {
    document: Value,
    seen: BTreeSet<(&'static str, u16)>,
}

impl Described {
    fn new() -> Self {
        let document = serde_saphyr::from_str(include_str!("../../../../docs/reference/broker.openapi.yaml")).unwrap();
        Self { document, seen: BTreeSet::new() }
    }

    /// Checks an answer at the path that ends with `path`, and returns its body.
    async fn check(&mut self, path: &'static str, response: Response) -> Value {
        let status = response.status().as_u16();
        let item = self.document["paths"][format!("{PREFIX}{path}")].as_object().unwrap();
        let operation = item.get("post").or(item.get("get")).unwrap();
        let described = &operation["responses"][status.to_string()];
        assert!(described.is_object(), "{path}: {status} is not described");
        let described = match described["$ref"].as_str() {
            Some(reference) => self.document.pointer(reference.trim_start_matches('#')).unwrap(),
            None => described,
        };
        for name in ["azure-asyncoperation", "location", "retry-after", "www-authenticate"] {
            let mut names = described["headers"].as_object().into_iter().flat_map(|headers| headers.keys());
            let is_described = names.any(|described| described.eq_ignore_ascii_case(name));
            assert!(is_described || !response.headers().contains_key(name), "{path} {status}: {name} is not described");
        }
        self.seen.insert((path, status));
        let body: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default();
        assert!(status < 400 || body["error"]["code"].is_string(), "{path} {status}: {body}");
        body
    }
}

const UPGRADE: &str = "upgrade";
const STATUS: &str = "operationStatuses/{operationId}";
const RESULT: &str = "operationResults/{operationId}";

#[tokio::test]
async fn every_answer_of_the_broker_is_described() {
    let mut described = Described::new();
    let sim = Sim::with_account(json!({"broker": {"operationSeconds": 3600}})).await;
    let patch = async |change| sim.control(Method::PATCH, &format!("/accounts/{SUB}"), change).await;
    let get = async |url: &str| sim.http.get(url).bearer_auth(&sim.broker).send().await.unwrap();
    let bare = || sim.request(Method::POST, &upgrade_path(SUB));

    described.check(UPGRADE, bare().send().await.unwrap()).await; // 401
    described.check(UPGRADE, bare().bearer_auth(&sim.broker).send().await.unwrap()).await; // 400
    let nobodys =
        sim.request(Method::POST, &upgrade_path(TENANT)).bearer_auth(&sim.broker).header("idempotency-key", KEY);
    let body = json!({"properties": {"targetOffer": "PayAsYouGo", "acceptCharges": true}});
    described.check(UPGRADE, nobodys.json(&body).send().await.unwrap()).await; // 404
    for rejection in
        ["NotAccountAdministrator", "PaymentMethodRequired", "PhoneVerificationRequired", "OfferNotEligible"]
    {
        patch(json!({"rejectUpgrade": rejection})).await; // 403, 422
        let body = described.check(UPGRADE, sim.upgrade(KEY).send().await.unwrap()).await;
        let example = format!("\"code\":\"{rejection}\"");
        assert_eq!(body["error"]["code"], rejection);
        assert!(described.document.to_string().contains(&example), "{rejection} is not among the examples");
    }
    patch(json!({"rejectUpgrade": null})).await;
    let accepted = sim.upgrade(KEY).send().await.unwrap(); // 202
    let url = |name: &str| accepted.headers()[name].to_str().unwrap().to_owned();
    let (status, result) = (url("azure-asyncoperation"), url("location"));
    for (url, path) in [(&status, "operationStatuses/"), (&result, "operationResults/")] {
        let start = format!("{}/broker{}{path}", sim.running.url(), PREFIX.replace("{subscriptionId}", SUB));
        assert!(url.starts_with(&start), "{url}");
    }
    described.check(UPGRADE, accepted).await;
    let other = sim.upgrade("0b1f9c6e-0000-5a00-9000-000000000002").send().await.unwrap();
    described.check(UPGRADE, other).await; // 409
    assert_eq!(described.check(STATUS, get(&status).await).await["status"], "InProgress");
    described.check(RESULT, get(&result).await).await; // 202
    for (url, path) in [(&status, STATUS), (&result, RESULT)] {
        described.check(path, sim.http.get(url).send().await.unwrap()).await; // 401
        described.check(path, get(&url.replace("0000-", "0001-")).await).await; // 404
        let operation = url.rsplit_once('/').unwrap().0.to_owned() + "/none?api-version=2026-11-01";
        described.check(path, get(&operation).await).await; // 404
    }

    let fails = json!({"operationSeconds": 0, "fails": {"code": "PaymentMethodDeclined"}});
    sim.account(json!({"subscriptionId": TENANT, "broker": fails})).await;
    let failed = async || {
        let post = sim.request(Method::POST, &upgrade_path(TENANT)).bearer_auth(&sim.broker);
        post.header("idempotency-key", TENANT).json(&body).send().await.unwrap()
    };
    let (of_failed, to_result) = {
        let response = failed().await;
        let url = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        (url("azure-asyncoperation"), url("location"))
    };
    let told = described.check(STATUS, get(&of_failed).await).await;
    assert_eq!((&told["status"], &told["error"]["code"]), (&json!("Failed"), &json!("PaymentMethodDeclined")));
    described.check(RESULT, get(&to_result).await).await; // 422
    sim.control(Method::PATCH, &format!("/accounts/{TENANT}"), json!({"broker": {"fails": null}})).await;
    let result = failed().await.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(described.check(RESULT, get(&result).await).await.get("status"), None); // 200
    let again = sim.request(Method::POST, &upgrade_path(TENANT)).bearer_auth(&sim.broker);
    described.check(UPGRADE, again.header("idempotency-key", SUB).json(&body).send().await.unwrap()).await; // 200

    let seen: Vec<_> = described.seen.iter().filter(|(path, _)| *path == UPGRADE).map(|(_, status)| *status).collect();
    assert_eq!(seen, [200, 202, 400, 401, 403, 404, 409, 422]);
    assert_eq!(described.document["paths"].as_object().unwrap().len(), 3, "each path is served");
}
