//! Lists of subscriptions and tenants, in pages, and how many requests are taken.

use super::*;

fn sub(number: u32) -> String {
    format!("6f1a3c1e-0000-4a00-9000-{number:012x}")
}

/// All pages of a list from this path on.
pub(super) async fn pages(sim: &Sim, path: &str) -> Vec<Value> {
    let mut pages = Vec::new();
    let mut next = Some(format!("{}{path}", sim.running.url()));
    while let Some(url) = next {
        let response = sim.http.get(&url).bearer_auth(&sim.arm).send().await.unwrap();
        assert_eq!(response.status(), 200, "{url}");
        let page: Value = response.json().await.unwrap();
        next = page["nextLink"].as_str().filter(|link| !link.is_empty()).map(str::to_owned);
        pages.push(page);
    }
    pages
}

fn names<'a>(pages: &'a [Value], field: &str) -> Vec<&'a str> {
    pages.iter().flat_map(|page| page["value"].as_array().unwrap()).map(|item| item[field].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_list_comes_in_pages() {
    let sim = Sim::start().await;
    for number in [4, 2, 0, 3, 1] {
        sim.account(json!({"subscriptionId": sub(number)})).await;
    }
    let all: Vec<_> = (0..5).map(sub).collect();
    let path = "/subscriptions?api-version=2022-12-01";
    let one = pages(&sim, path).await;
    assert_eq!((one.len(), names(&one, "subscriptionId")), (1, all.iter().map(String::as_str).collect()));
    assert_eq!(one[0]["count"], json!({"type": "Total", "value": 5}));
    assert_eq!(one[0]["value"][0], {
        let response = sim.read(&subscription_path(&sub(0))).send().await.unwrap();
        response.json::<Value>().await.unwrap()
    });

    sim.control(Method::POST, "/settings", json!({"pageSize": 2})).await;
    let three = pages(&sim, path).await;
    assert_eq!((three.len(), names(&three, "subscriptionId")), (3, all.iter().map(String::as_str).collect()));
    let next = three[0]["nextLink"].as_str().unwrap();
    assert!(next.starts_with(sim.running.url()) && next.contains("api-version=2022-12-01"), "{next}");
    assert_eq!(three[2]["nextLink"], "");

    sim.control(Method::DELETE, &format!("/accounts/{}", sub(1)), Value::Null).await;
    let rest: Value = sim.http.get(next).bearer_auth(&sim.arm).send().await.unwrap().json().await.unwrap();
    assert_eq!(names(&[rest], "subscriptionId"), [sub(2), sub(3)], "none is skipped");
    let forged = sim.read(&format!("{path}&%24skiptoken=x")).send().await.unwrap();
    assert_eq!(refusal(forged).await, (400, "InvalidSkipToken".into()));
}

#[tokio::test]
async fn a_list_has_what_the_client_may_read() {
    let sim = Sim::start().await;
    sim.account(json!({"subscriptionId": sub(1), "graceDays": 1})).await;
    sim.account(json!({"subscriptionId": sub(2)})).await;
    sim.account(json!({"subscriptionId": sub(3), "tenantId": "72f988bf-0000-4a00-9000-0000000000ab"})).await;
    let path = "/subscriptions?api-version=2016-06-01"; // the oldest
    let list = pages(&sim, path).await;
    assert_eq!(names(&list, "subscriptionId"), [sub(1), sub(2)]);
    assert!(list[0].get("count").is_none() && list[0]["value"][0].get("tenantId").is_none(), "{list:?}");
    sim.client(json!({"subscriptions": [sub(2)]})).await;
    assert_eq!(names(&pages(&sim, path).await, "subscriptionId"), [sub(2)]);
    sim.client(json!({"subscriptions": "*"})).await;
    sim.advance(32 * DAY).await;
    assert_eq!(names(&pages(&sim, path).await, "subscriptionId"), [sub(2)], "the other is gone");
    let tenants = pages(&sim, "/tenants?api-version=2022-12-01").await;
    assert_eq!(names(&tenants, "tenantId"), [TENANT]);
}

#[tokio::test]
async fn too_many_requests_are_throttled() {
    let sim = Sim::with_account(json!({})).await;
    sim.account(json!({"subscriptionId": sub(1)})).await;
    let first = sim.read(&subscription_path(SUB)).send().await.unwrap();
    assert_eq!(first.headers()["x-ms-ratelimit-remaining-subscription-reads"], "249");
    let list = "/subscriptions?api-version=2022-12-01";
    let first = sim.read(list).send().await.unwrap();
    assert_eq!(first.headers()["x-ms-ratelimit-remaining-tenant-reads"], "249");

    sim.control(Method::POST, "/settings", json!({"throttling": {"readBucket": 2, "readsPerSecond": 0}})).await;
    let read = async |path: &str| sim.read(path).send().await.unwrap();
    for left in ["1", "0"] {
        let response = read(&subscription_path(SUB)).await;
        assert_eq!(response.headers()["x-ms-ratelimit-remaining-subscription-reads"], left);
        assert_eq!(response.status(), 200);
    }
    let throttled = read(&subscription_path(SUB)).await;
    assert_eq!(throttled.headers()["retry-after"], "1");
    assert_eq!(throttled.headers()["x-ms-ratelimit-remaining-subscription-reads"], "0");
    let body: Value = throttled.json().await.unwrap();
    assert_eq!(body["error"]["code"], "SubscriptionRequestsThrottled");
    let message = body["error"]["message"].as_str().unwrap();
    assert!(message.starts_with(&format!("Number of 'read' requests for subscription '{SUB}' actor '")), "{message}");

    assert_eq!(read(&subscription_path(&sub(1))).await.status(), 200, "each subscription has its own bucket");
    let lists = [read(list).await.status(), read(list).await.status()];
    assert_eq!(lists, [200, 200], "and so has the tenant");
    assert_eq!(refusal(read(list).await).await, (429, "TenantRequestsThrottled".into()));
    sim.control(Method::POST, "/settings", json!({"throttling": {"readsPerSecond": 1_000_000}})).await;
    assert_eq!(read(list).await.status(), 200, "it is refilled");
}
