//! What Azure sends to a webhook: alerts of a budget, by an action group, in the common schema or in the one before it; and
//! events of Event Grid, in its own schema or as CloudEvents. None of it proves anything: amounts are localized texts, come
//! hours late and leave credits out, so nothing but whose they are is read.

use std::collections::BTreeSet;

use serde_json::Value;
use uuid::Uuid;

use crate::document::unmarked;
use payg_core::account::AccountId;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Something may have happened to these accounts.
    Hint(BTreeSet<AccountId>),
    /// Event Grid sends its events only to who gives this code back.
    /// <https://learn.microsoft.com/en-us/azure/event-grid/end-point-validation-event-grid-events-schema>
    Validation(String),
}

/// The schemas of an action group's webhook.
/// <https://learn.microsoft.com/en-us/azure/azure-monitor/alerts/alerts-payload-samples>
const COMMON: &str = "azureMonitorCommonAlertSchema";
const BUDGET: &str = "AIP Budget Notification";
const VALIDATION: &str = "Microsoft.EventGrid.SubscriptionValidationEvent";

/// What `body` says, if it is one of these.
pub fn read(body: &[u8]) -> Option<Delivery> {
    let body: Value = serde_json::from_slice(unmarked(body)).ok()?;
    if let Value::Array(events) = &body {
        return of_event_grid(events);
    }
    let data = &body["data"];
    match body["schemaId"].as_str() {
        Some(BUDGET) => Some(hint([&data["SubscriptionId"]])),
        Some(COMMON) if data["essentials"]["monitoringService"] == "CostAlerts" => {
            let (alert, essentials) = (&data["alertContext"]["AlertData"], &data["essentials"]);
            let targets = essentials["alertTargetIDs"].as_array().into_iter().flatten();
            let named = [&alert["BudgetId"], &alert["Scope"], &essentials["alertId"], &essentials["originAlertId"]];
            Some(hint(named.into_iter().chain(targets)))
        }
        None if is_event(&body) => of_event_grid(std::slice::from_ref(&body)),
        _ => None,
    }
}

fn of_event_grid(events: &[Value]) -> Option<Delivery> {
    if events.is_empty() || !events.iter().all(is_event) {
        return None;
    }
    match events.iter().find(|event| event["eventType"] == VALIDATION) {
        Some(event) => event["data"]["validationCode"].as_str().map(|code| Delivery::Validation(code.to_owned())),
        None => Some(hint(events.iter().flat_map(named_in))),
    }
}

/// Event Grid's own events come in lists, and CloudEvents alone or in lists; whoever passes them on may take a list apart.
fn is_event(event: &Value) -> bool {
    event["eventType"].is_string() || event["specversion"].is_string()
}

/// Where an event names its Azure subscription.
fn named_in(event: &Value) -> [&Value; 5] {
    let data = &event["data"];
    [&event["topic"], &event["source"], &event["subject"], &data["subscriptionId"], &data["resourceUri"]]
}

fn hint<'a>(named: impl IntoIterator<Item = &'a Value>) -> Delivery {
    Delivery::Hint(named.into_iter().filter_map(account).collect())
}

/// The Azure subscription that an id, or the path of a resource, names.
fn account(value: &Value) -> Option<AccountId> {
    const PREFIX: &str = "/subscriptions/";
    let text = value.as_str()?;
    let path =
        text.get(..PREFIX.len()).filter(|start| start.eq_ignore_ascii_case(PREFIX)).and(text.get(PREFIX.len()..));
    let id = path.unwrap_or(text).split('/').next()?;
    Uuid::try_parse(id).ok().map(AccountId::Azure)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "6f1a0000-0000-4a00-9000-000000000001";

    fn told(body: &Value) -> Option<Delivery> {
        read(body.to_string().as_bytes())
    }

    fn of_account() -> Delivery {
        Delivery::Hint(BTreeSet::from([AccountId::Azure(ID.parse().unwrap())]))
    }

    #[test]
    fn a_budget_alert_names_its_account_in_both_schemas() {
        let data = json!({"SubscriptionName": "Free Trial", "SubscriptionId": ID, "SpendingAmount": "180,50",
            "Budget": "200", "Unit": "EUR", "BudgetName": "trial-credit", "NotificationThresholdAmount": "180"});
        assert_eq!(told(&json!({"schemaId": "AIP Budget Notification", "data": data})), Some(of_account()));

        let essentials = json!({"monitoringService": "CostAlerts", "firedDateTime": "2026-01-28T08:14:32Z",
            "alertRule": null, "severity": null, "configurationItems": ["budgets"]});
        let budget = format!("/subscriptions/{}/providers/Microsoft.Consumption/budgets/trial", ID.to_uppercase());
        let alert = json!({"Scope": format!("/subscriptions/{ID}/"), "BudgetId": budget, "SpentAmount": "180,50 €"});
        let context = json!({"AlertCategory": "budgets", "AlertData": alert});
        let data = json!({"essentials": essentials, "alertContext": context});
        assert_eq!(told(&json!({"schemaId": "azureMonitorCommonAlertSchema", "data": data})), Some(of_account()));
    }

    #[test]
    fn an_event_names_its_account_in_both_schemas() {
        let data = json!({"operationName": "Microsoft.Subscription/enable/action", "subscriptionId": ID});
        let path = format!("/subscriptions/{ID}");
        let event = json!({"eventType": "Microsoft.Resources.ResourceActionSuccess", "topic": path, "data": data});
        assert_eq!(told(&json!([event, event])), Some(of_account()));
        let event = json!({"specversion": "1.0", "type": "Microsoft.Resources.ResourceActionSuccess", "source": path});
        assert_eq!(told(&event), Some(of_account()));
        assert_eq!(told(&json!([event, event])), Some(of_account()), "a batch of CloudEvents");
    }

    /// As people post them; each names the account in another place.
    #[test]
    fn any_field_that_names_the_account_is_enough() {
        let path = format!("/subscriptions/{ID}");
        let below = format!("{path}/resourceGroups/rg/providers/Microsoft.AlertsManagement/alerts/1");
        let common = |essentials: Value, context: Value| {
            let mut essentials = essentials;
            essentials["monitoringService"] = json!("CostAlerts");
            json!({"schemaId": "azureMonitorCommonAlertSchema", "data": {"essentials": essentials, "alertContext": context}})
        };
        let event = |name: &str, value: &str| json!({"eventType": "New", name: value});
        for body in [
            common(json!({"alertId": below}), json!({"AlertCategory": "Budgets", "AlertData": {"BudgetName": "b"}})),
            common(json!({"alertId": below.to_uppercase()}), json!({})),
            common(json!({"originAlertId": below}), json!(null)),
            common(json!({"alertId": "1", "alertTargetIDs": [path]}), json!({})),
            common(json!({"alertTargetIDs": [1, null, below]}), json!({"AlertData": {"Scope": 1}})),
            common(json!({}), json!({"AlertData": {"Scope": path}})),
            json!([event("topic", &path)]),
            json!([event("subject", &below)]),
            event("topic", &path),
            json!([{"eventType": "New", "topic": "", "data": {"resourceUri": below}}]),
            json!({"specversion": "1.0", "type": "New", "source": "x", "subject": path}),
            json!({"specversion": "1.0", "type": "New", "source": "x", "data": {"subscriptionId": ID.to_uppercase()}}),
        ] {
            assert_eq!(told(&body), Some(of_account()), "{body}");
            let marked = [&b"\xef\xbb\xbf"[..], body.to_string().as_bytes()].concat();
            assert_eq!(read(&marked), Some(of_account()), "with a byte order mark: {body}");
            let pretty = serde_json::to_string_pretty(&body).unwrap().replace('\n', "\r\n");
            assert_eq!(read(pretty.as_bytes()), Some(of_account()), "{pretty}");
        }
        assert_eq!(told(&common(json!({"alertTargetIDs": ID}), json!([]))), Some(Delivery::Hint(BTreeSet::new())));
    }

    #[test]
    fn event_grid_is_given_its_code() {
        let data =
            json!({"validationCode": "512d38b6-c7b8-40c8-89fe-f46f9e9622b6", "validationUrl": "https://x.example"});
        let event = json!({"eventType": VALIDATION, "topic": format!("/subscriptions/{ID}"), "data": data});
        let code = "512d38b6-c7b8-40c8-89fe-f46f9e9622b6".to_owned();
        assert_eq!(told(&json!([event])), Some(Delivery::Validation(code.clone())));
        assert_eq!(told(&event), Some(Delivery::Validation(code)), "taken out of its list");
        assert_eq!(told(&json!([{"eventType": VALIDATION, "data": {}}])), None);
    }

    #[test]
    fn deliveries_without_an_account_hint_at_none() {
        let nobody = Some(Delivery::Hint(BTreeSet::new()));
        for id in ["", "trial", "/subscriptions/", "/subscriptions/trial/x", "/sübscriptions/"] {
            let data = json!({"SubscriptionId": id});
            assert_eq!(told(&json!({"schemaId": "AIP Budget Notification", "data": data})), nobody, "{id}");
        }
        assert_eq!(told(&json!([{"eventType": "New", "data": [1]}])), nobody);
    }

    #[test]
    fn nothing_else_is_understood() {
        let metric = json!({"schemaId": "azureMonitorCommonAlertSchema",
            "data": {"essentials": {"monitoringService": "Platform", "alertTargetIDs": [format!("/subscriptions/{ID}")]}}});
        for body in [json!(null), json!([]), json!([1]), json!({}), json!({"data": {"SubscriptionId": ID}}), metric] {
            assert_eq!(told(&body), None, "{body}");
        }
        assert_eq!(read(b""), None);
        assert_eq!(read(&b"[".repeat(100_000)), None);
    }
}
