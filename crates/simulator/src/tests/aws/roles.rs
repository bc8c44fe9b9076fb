//! Roles: who becomes one, and what a session is.

use super::*;

const OTHER_KEY: &str = "AKIAOTHEROTHEROTHER2";

#[tokio::test]
async fn a_user_tells_who_it_is() {
    let sim = Sim::aws(json!({})).await;
    let answer = sim.ask(Ask::identity()).await;
    assert_eq!((answer.status, &answer.headers["content-type"]), (200, &"text/xml".parse().unwrap()));
    assert_eq!((answer.xml("Account"), answer.xml("Arn")), (ID.into(), USER.into()));
    assert!(answer.xml("UserId").starts_with("AIDA"));
    assert_eq!(answer.xml("RequestId"), answer.headers["x-amzn-requestid"].to_str().unwrap());
    assert!(answer.text.starts_with("<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"));
}

#[tokio::test]
async fn a_session_of_a_role_has_keys_of_its_own() {
    let sim = Sim::aws(json!({})).await;
    let path = "arn:aws:iam::123456789012:role/ops/payg-operator";
    sim.role(json!({"roleArn": path, "trust": {"principals": [USER]}})).await;
    let answer = sim.ask(Ask::assume(path, &[("DurationSeconds", "900")])).await;
    let (keys, arn) = (answer.keys(), "arn:aws:sts::123456789012:assumed-role/payg-operator/test");
    assert!(keys.id.starts_with("ASIA") && keys.id.len() == 20 && keys.secret.len() == 40);
    assert_eq!(answer.xml("Arn"), arn);
    assert!(answer.xml("AssumedRoleId").starts_with("AROA") && answer.xml("AssumedRoleId").ends_with(":test"));
    let left = answer.xml("Expiration").parse::<Timestamp>().unwrap().duration_since(Timestamp::now()).as_secs();
    assert!((890..=900).contains(&left), "{left}");

    let identity = sim.send(&keys, &Ask::identity()).await.unwrap();
    assert_eq!((identity.xml("Arn"), identity.xml("UserId")), (arn.into(), answer.xml("AssumedRoleId")));
    sim.send(&keys, &Ask::upgrade()).await.unwrap().good();
    assert_eq!(sim.ledger().await[0]["by"], json!({"caller": arn}));

    for wrong in [None, Some("another".to_owned())] {
        let keys = Keys { token: wrong, ..keys.clone() };
        let answer = sim.send(&keys, &Ask::plan_state()).await.unwrap();
        answer.assert_error(
            400,
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        );
    }
}

#[tokio::test]
async fn a_session_expires() {
    let sim = Sim::aws(json!({})).await;
    sim.role(json!({"trust": {"principals": [ID]}, "sessionSeconds": 0})).await;
    let keys = sim.ask(Ask::assume(ROLE, &[])).await.keys();
    let says = "The security token included in the request is expired";
    for (ask, status, code) in [
        (Ask::plan_state(), 400, "ExpiredTokenException"),
        (Ask::information(), 403, "ExpiredTokenException"),
        (Ask::identity(), 403, "ExpiredToken"),
    ] {
        sim.send(&keys, &ask).await.unwrap().assert_error(status, code, says);
    }
}

#[tokio::test]
async fn a_role_is_only_for_those_it_trusts() {
    let sim = Sim::aws(json!({})).await;
    sim.aws_account(json!({"accountId": OTHER})).await;
    sim.user(json!({"accountId": OTHER, "accessKeyId": OTHER_KEY, "allow": ["sts:AssumeRole"]})).await;
    let other = Keys { id: OTHER_KEY.into(), ..user() };
    let denied = |answer: &Answer, who: &str| {
        let says = format!("User: {who} is not authorized to perform: sts:AssumeRole on resource: {ROLE}");
        answer.assert_error(403, "AccessDenied", &says);
    };
    sim.ask(Ask::assume(ROLE, &[])).await.assert_error(403, "AccessDenied", "sts:AssumeRole"); // there is none yet
    let (of_other, root) = ("arn:aws:iam::210987654321:user/payg", "arn:aws:iam::210987654321:root");
    for (trusted, user_may, other_may) in [
        (json!([]), false, false),
        (json!([USER]), true, false),
        (json!([ID]), true, false),
        (json!([OTHER]), false, true),
        (json!([root]), false, true),
        (json!([of_other]), false, true),
        (json!(["*"]), true, true),
    ] {
        sim.role(json!({"trust": {"principals": trusted}})).await;
        for (keys, may, arn) in [(user(), user_may, USER), (other.clone(), other_may, of_other)] {
            let answer = sim.send(&keys, &Ask::assume(ROLE, &[])).await.unwrap();
            if may { drop(answer.keys()) } else { denied(&answer, arn) }
        }
    }
    // Who is not named needs a permission, too.
    sim.user(json!({"allow": []})).await;
    let answer = sim.ask(Ask::assume(ROLE, &[])).await;
    answer.assert_error(403, "AccessDenied", "because no identity-based policy allows the sts:AssumeRole action");
    sim.role(json!({"trust": {"principals": [USER]}})).await;
    sim.ask(Ask::assume(ROLE, &[])).await.keys();
}

#[tokio::test]
async fn an_external_id_must_be_told() {
    let sim = Sim::aws(json!({})).await;
    sim.role(json!({"trust": {"principals": [USER], "externalId": "tenant-42"}})).await;
    sim.ask(Ask::assume(ROLE, &[("ExternalId", "tenant-42")])).await.keys();
    for wrong in [&[][..], &[("ExternalId", "tenant-43")]] {
        sim.ask(Ask::assume(ROLE, wrong)).await.assert_error(403, "AccessDenied", "is not authorized to perform");
    }
    sim.role(json!({"trust": {"principals": [USER]}})).await;
    sim.ask(Ask::assume(ROLE, &[("ExternalId", "tenant-42")])).await.keys();
}

#[tokio::test]
async fn a_role_can_become_another() {
    let sim = Sim::aws(json!({})).await;
    let second = "arn:aws:iam::123456789012:role/second";
    sim.role(json!({"trust": {"principals": [USER]}, "allow": []})).await;
    sim.role(json!({"roleArn": second, "trust": {"principals": [ROLE]}, "sessionSeconds": 7200})).await;
    let first = sim.ask(Ask::assume(ROLE, &[])).await.keys();
    let keys = sim.send(&first, &Ask::assume(second, &[])).await.unwrap().keys();
    let identity = sim.send(&keys, &Ask::identity()).await.unwrap();
    assert_eq!(identity.xml("Arn"), "arn:aws:sts::123456789012:assumed-role/second/test");
    let long = sim.send(&first, &Ask::assume(second, &[("DurationSeconds", "7200")])).await.unwrap();
    long.assert_error(400, "ValidationError", "1 hour session limit for roles assumed by role chaining");
}

#[tokio::test]
async fn sts_refusals_are_reported() {
    let sim = Sim::aws(json!({})).await;
    sim.role(json!({"trust": {"principals": [USER]}})).await;
    let says = |field: &str| format!("1 validation error detected: Value '{field}");
    for (fields, says) in [
        (vec![("DurationSeconds", "899")], says("899' at 'durationSeconds'")),
        (vec![("DurationSeconds", "x")], says("x' at 'durationSeconds'")),
        (vec![("DurationSeconds", "7200")], "exceeds the MaxSessionDuration set for this role".into()),
        (vec![("RoleSessionName", "a b")], says("a b' at 'roleSessionName'")),
        (vec![("RoleSessionName", "a")], says("a' at 'roleSessionName'")),
        (vec![("RoleSessionName", &"a".repeat(65))], says("aaa")),
        (vec![("RoleArn", "arn:aws:iam::123456789012:user/payg")], "is invalid".into()),
        (vec![("ExternalId", "<>")], says("&lt;&gt;' at 'externalId'")),
        (vec![("Version", "2010-05-08")], "for version 2010-05-08".into()),
    ] {
        let answer = sim.ask(Ask::assume(ROLE, &fields)).await;
        let code = if fields[0].0 == "Version" { "InvalidAction" } else { "ValidationError" };
        answer.assert_error(400, code, &says);
    }
    let missing = Ask::sts(&[("Action", "AssumeRole"), ("RoleArn", ROLE)]);
    sim.ask(missing).await.assert_error(400, "ValidationError", "Value null at 'roleSessionName'");
}

#[tokio::test]
async fn deleted_principals_can_do_nothing() {
    let sim = Sim::aws(json!({})).await;
    sim.role(json!({"trust": {"principals": [USER]}})).await;
    let session = sim.ask(Ask::assume(ROLE, &[])).await.keys();
    sim.control(Method::DELETE, &format!("/clients?arn={ROLE}"), Value::Null).await;
    sim.send(&session, &Ask::identity()).await.unwrap().assert_error(403, "InvalidClientTokenId", "invalid");
    sim.control(Method::DELETE, &format!("/clients/{KEY_ID}"), Value::Null).await;
    sim.ask(Ask::identity()).await.assert_error(403, "InvalidClientTokenId", "invalid");
    sim.user(json!({})).await;
    sim.control(Method::DELETE, &format!("/clients?arn={USER}"), Value::Null).await;
    sim.ask(Ask::identity()).await.assert_error(403, "InvalidClientTokenId", "invalid");
    let role = |arn: &str| json!({"accountId": ID, "roleArn": arn});
    for (method, path, body, status) in [
        (Method::DELETE, format!("/clients?arn={ROLE}"), Value::Null, 404),
        (Method::POST, "/clients".into(), role("arn:aws:iam::210987654321:role/x"), 400),
        (Method::POST, "/clients".into(), role("payg-operator"), 400),
        (
            Method::POST,
            "/clients".into(),
            json!({"accountId": "1", "accessKeyId": KEY_ID, "secretAccessKey": "s"}),
            400,
        ),
        (
            Method::POST,
            "/clients".into(),
            json!({"accountId": ID, "accessKeyId": "short", "secretAccessKey": "s"}),
            400,
        ),
        (Method::POST, "/clients".into(), json!({"accountId": ID, "allow": "*"}), 400),
        (Method::POST, "/clients".into(), json!({"podIdentity": {"token": "t", "roleArn": ROLE}}), 404),
    ] {
        let response = sim.control_raw(method.clone(), &path, body.clone()).await;
        assert_eq!(response.status(), status, "{method} {path} {body}");
        assert!(response.json::<Value>().await.unwrap()["error"].is_string());
    }
}
