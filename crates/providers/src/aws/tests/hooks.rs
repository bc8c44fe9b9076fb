use super::*;
use crate::aws::hook::{self, Confirmation, Delivery};

const TOPIC: &str = "arn:aws:sns:eu-west-1:111122223333:budgets";

fn confirmation() -> Confirmation {
    let message = serde_json::json!({"Type": "SubscriptionConfirmation", "TopicArn": TOPIC, "Token": "2336412f37fb",
        "SubscribeURL": "https://attacker.example/?Action=ConfirmSubscription"});
    match hook::read(message.to_string().as_bytes()) {
        Some(Delivery::Confirmation(confirmation)) => confirmation,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_topic_is_confirmed_where_aws_is_and_not_where_its_message_says() {
    let server = Server::start(|_| xml(200, "<ConfirmSubscriptionResponse/>")).await;
    assert_eq!(connections(&server).confirm(&confirmation()).await, Ok(()));
    let [request] = &server.all_requests()[..] else { panic!("{:?}", server.all_requests()) };
    assert_eq!(
        request.line,
        "GET /?Action=ConfirmSubscription&Version=2010-03-31&TopicArn=arn%3Aaws%3Asns%3Aeu-west-1%3A111122223333%3Abudgets\
         &Token=2336412f37fb"
    );
}

#[tokio::test]
async fn a_confirmation_that_sns_does_not_take_is_an_error() {
    let server = Server::start(|_| xml(403, "<ErrorResponse/>")).await;
    let error = connections(&server).confirm(&confirmation()).await.unwrap_err();
    assert!(error.to_string().contains("403"), "{error}");
    assert!(!format!("{error:?}").contains("2336412f37fb"), "{error:?}");
}
