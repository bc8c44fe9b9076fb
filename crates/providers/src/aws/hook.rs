//! What AWS sends to a webhook: messages of SNS, such as those of a budget, and events of EventBridge. None of it proves
//! anything, so nothing but whose they are is read.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use url::Url;

use super::settings::Connections;
use crate::document::unmarked;
use crate::http::address;
use crate::within;
use payg_core::account::{AccountId, AwsAccountId};
use payg_core::provider::ProviderError;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Something may have happened to these accounts.
    Hint(BTreeSet<AccountId>),
    /// SNS sends its messages only to who confirms that it wants them.
    Confirmation(Confirmation),
}

/// A topic of SNS that asks whether its messages are wanted.
/// <https://docs.aws.amazon.com/sns/latest/dg/http-subscription-confirmation-json.html>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmation {
    region: String,
    topic: String,
    token: String,
}

/// How a message of a budget begins, where SNS delivers it without its envelope.
const BUDGET: &str = "AWS Budget Notification";

/// The fields in which services' messages name an account: alarms of CloudWatch,
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-actions.html>, and anomalies of Cost Anomaly Detection,
/// <https://docs.aws.amazon.com/cost-management/latest/userguide/ad-SNS.html>.
const OF_SERVICES: [&str; 2] = ["AWSAccountId", "accountId"];

/// What `body` says, if it is one of these.
pub fn read(body: &[u8]) -> Option<Delivery> {
    let text = str::from_utf8(unmarked(body)).ok()?;
    let Ok(message) = serde_json::from_str::<Value>(text) else {
        return text.trim_start().starts_with(BUDGET).then(|| hint([text]));
    };
    let field = |name: &str| message[name].as_str();
    match field("Type") {
        Some("Notification") => Some(hint([field("TopicArn")?, field("Message")?])),
        Some("SubscriptionConfirmation") => {
            Confirmation::of(field("TopicArn")?, field("Token")?).map(Delivery::Confirmation)
        }
        // Nobody is asked anything.
        Some("UnsubscribeConfirmation") => Some(Delivery::Hint(BTreeSet::new())),
        // An event of EventBridge. It may be about an account of the organisation that is named further in.
        None if message["detail-type"].is_string() => field("account").map(|_| hint([text])),
        // What SNS delivers without its envelope. Its words differ from service to service.
        None if OF_SERVICES.iter().any(|name| field(name).and_then(AwsAccountId::parse).is_some()) => {
            Some(hint([text]))
        }
        _ => None,
    }
}

/// The accounts in texts for people: whatever stands alone and has twelve digits. One too many does no harm.
fn hint<'a>(texts: impl IntoIterator<Item = &'a str>) -> Delivery {
    let numbers = texts.into_iter().flat_map(|text| text.split(|letter: char| !letter.is_ascii_alphanumeric()));
    Delivery::Hint(numbers.filter_map(AwsAccountId::parse).map(AccountId::Aws).collect())
}

impl Confirmation {
    fn of(topic: &str, token: &str) -> Option<Self> {
        let ["arn", "aws", "sns", region, account, name] = topic.split(':').collect::<Vec<_>>()[..] else {
            return None;
        };
        let is_label = |text: &str| {
            let letters = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            (1..=256).contains(&text.len()) && text.bytes().all(letters)
        };
        // It becomes part of a host's name.
        let is_region = region.len() <= 32 && is_label(region) && !region.contains('_');
        let is_topic = is_region && is_label(name) && AwsAccountId::parse(account).is_some();
        let is_token =
            token.len() <= 1024 && !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (is_topic && is_token).then(|| Self {
            region: region.to_owned(),
            topic: topic.to_owned(),
            token: token.to_owned(),
        })
    }

    /// The topic's name (ARN).
    pub fn topic(&self) -> &str {
        &self.topic
    }
}

/// How long SNS may take to answer; it waits for 15 s itself.
const DEADLINE: Duration = Duration::from_secs(8);

impl Connections {
    /// Confirms to SNS that the messages of a topic are wanted. The message has an address for that, and it is not followed: SNS is
    /// where the topic's name says, or where the operator's flags say that AWS is.
    pub async fn confirm(&self, confirmation: &Confirmation) -> Result<(), ProviderError> {
        let Confirmation { region, topic, token } = confirmation;
        let sns = format!("https://sns.{region}.amazonaws.com");
        let parameters =
            [("Action", "ConfirmSubscription"), ("Version", "2010-03-31"), ("TopicArn", topic), ("Token", token)];
        let url = Url::parse_with_params(&address(self.endpoint.as_ref(), &sns), parameters)
            .map_err(|error| ProviderError::Protocol { detail: format!("{topic} names no address: {error}") })?;
        within("SNS", DEADLINE, async {
            let answer = self.reads.exchange(self.reads.get(url)).await.map_err(|error| error.of_read("SNS"))?;
            if answer.status.is_success() {
                return Ok(());
            }
            Err(ProviderError::Transient { detail: format!("SNS answered {}", answer.status) })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TOPIC: &str = "arn:aws:sns:eu-west-1:111122223333:budgets";

    fn told(body: &Value) -> Option<Delivery> {
        read(body.to_string().as_bytes())
    }

    fn of(accounts: &[&str]) -> Delivery {
        let account = |id: &&str| AccountId::Aws(AwsAccountId::parse(id).unwrap());
        Delivery::Hint(accounts.iter().map(account).collect())
    }

    const TEXT: &str = "AWS Budget Notification March 01, 2026\nAWS Account 123456789012\n\nDear AWS Customer,\n\n\
        You requested that we alert you when the ACTUAL Cost of your budget is greater than $80.00. Case 1234567890123.";

    #[test]
    fn a_message_of_a_budget_names_its_account() {
        let message = json!({"Type": "Notification", "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
            "TopicArn": TOPIC, "Subject": "AWS Budgets: trial has exceeded your alert threshold", "Message": TEXT});
        assert_eq!(told(&message), Some(of(&["111122223333", "123456789012"])));
        assert_eq!(read(TEXT.as_bytes()), Some(of(&["123456789012"])), "without an envelope");
    }

    #[test]
    fn an_event_names_its_account() {
        let event = json!({"version": "0", "id": "6a7e8feb", "detail-type": "Budget threshold exceeded",
            "source": "aws.budgets", "account": "123456789012", "region": "us-east-1", "detail": {}});
        assert_eq!(told(&event), Some(of(&["123456789012"])));
        let wrapped = json!({"Type": "Notification", "TopicArn": TOPIC, "Message": event.to_string()});
        assert_eq!(told(&wrapped), Some(of(&["111122223333", "123456789012"])));
    }

    /// What services of AWS publish, as SNS delivers it without its envelope, with one, and by EventBridge.
    #[test]
    fn a_message_names_its_account_with_and_without_an_envelope() {
        let alarm = json!({"AlarmName": "billing", "AlarmDescription": null, "AWSAccountId": "123456789012",
            "NewStateValue": "ALARM", "StateChangeTime": "2026-01-28T08:14:32.000+0000", "Region": "US East (N. Virginia)",
            "AlarmArn": "arn:aws:cloudwatch:us-east-1:123456789012:alarm:billing",
            "Trigger": {"MetricName": "EstimatedCharges", "Namespace": "AWS/Billing", "Threshold": 1.0}});
        let anomaly = json!({"accountId": "123456789012", "anomalyId": "newAnomalyId", "anomalyStartDate": "2026-01-25",
            "monitorArn": "arn:aws:ce::123456789012:anomalymonitor/1", "impact": {"totalImpact": 9.5},
            "subscriptionId": "arn:aws:ce::123456789012:anomalysubscription/1", "rootCauses": []});
        let mut linked = anomaly.clone();
        linked["rootCauses"] = json!([{"service": "Amazon EC2", "linkedAccount": "222233334444"}]);
        let event = json!({"version": "0", "detail-type": "Anomaly Detected", "source": "aws.ce", "account": "123456789012",
            "detail": {"rootCauses": [{"linkedAccount": "222233334444"}]}});
        let both: &[_] = &["123456789012", "222233334444"];
        for (body, accounts) in [
            (alarm.to_string(), &["123456789012"][..]),
            (anomaly.to_string(), &["123456789012"]),
            (linked.to_string(), both),
            (event.to_string(), both),
            (TEXT.to_owned(), &["123456789012"]),
        ] {
            assert_eq!(read(body.as_bytes()), Some(of(accounts)), "{body}");
            assert_eq!(
                read(format!("\u{feff}{body}").as_bytes()),
                Some(of(accounts)),
                "with a byte order mark: {body}"
            );
            let wrapped = json!({"Type": "Notification", "TopicArn": TOPIC, "Message": body});
            assert_eq!(told(&wrapped), Some(of(&[accounts, &["111122223333"]].concat())), "in the envelope: {body}");
        }
    }

    #[test]
    fn a_topic_asks_to_be_confirmed() {
        let ask = |topic: &str, token: &str| {
            told(&json!({"Type": "SubscriptionConfirmation", "TopicArn": topic, "Token": token,
                "SubscribeURL": "https://attacker.example/"}))
        };
        let (topic, token) = (TOPIC.to_owned(), "2336412f37fb687f".to_owned());
        let expected = Confirmation { region: "eu-west-1".to_owned(), topic, token };
        assert_eq!(ask(TOPIC, "2336412f37fb687f"), Some(Delivery::Confirmation(expected)));
        for topic in [
            "",
            "arn:aws:sns:eu-west-1:111122223333",
            "arn:aws:sns:evil.example/:111122223333:budgets",
            "arn:aws:sns:evil@x:111122223333:budgets",
            "arn:aws:sns::111122223333:budgets",
            "arn:aws:sns:eu-west-1:11112222:budgets",
            "arn:aws:sns:eu-west-1:111122223333:a&b",
            "arn:aws-cn:sns:cn-north-1:111122223333:budgets",
            "arn:aws:sqs:eu-west-1:111122223333:budgets",
        ] {
            assert_eq!(ask(topic, "2336"), None, "{topic}");
        }
        for token in ["", "a b", "a&Action=Publish"] {
            assert_eq!(ask(TOPIC, token), None, "{token}");
        }
    }

    #[test]
    fn nothing_else_is_understood() {
        for body in [
            json!(null),
            json!([]),
            json!({}),
            json!({"Type": "New", "TopicArn": TOPIC}),
            json!({"account": "1"}),
            json!({"accountId": "1"}),
            json!({"AWSAccountId": 123_456_789_012_u64}),
            json!([{"accountId": "123456789012"}]),
        ] {
            assert_eq!(told(&body), None, "{body}");
        }
        for text in ["", "AWS Account 123456789012", "\u{0}"] {
            assert_eq!(read(text.as_bytes()), None);
        }
        assert_eq!(read(b"\xff"), None);
        assert_eq!(told(&json!({"Type": "UnsubscribeConfirmation", "TopicArn": TOPIC})), Some(of(&[])));
    }
}
