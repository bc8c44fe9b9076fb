//! `payg plan`, as a pipeline runs it: manifests, credentials in the environment, and no cluster.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::aws_identities::temporary_key;
use crate::people::{stderr, stdout};
use payg_test_kit::payg_dev;
use payg_test_kit::world::{TENANT, World, automatic, provider, subscription};

/// A repository of manifests, and a pipeline over it.
struct Pipeline<'a> {
    world: &'a World,
    dir: PathBuf,
}

impl<'a> Pipeline<'a> {
    fn new(world: &'a World, manifests: &[Value]) -> Self {
        let dir = world.stack.control_plane.dir().join(format!("{}-repository", world.namespace));
        std::fs::create_dir_all(dir.join("accounts")).unwrap();
        std::fs::write(dir.join("README.md"), "not a manifest").unwrap();
        for (number, manifest) in manifests.iter().enumerate() {
            std::fs::write(dir.join(format!("accounts/{number}.yaml")), manifest.to_string()).unwrap();
        }
        Self { world, dir }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(payg_dev());
        command.args(["plan", "-n", "team-a"]).args(self.world.stack.cloud_arguments()).args(arguments);
        // Nothing else is there, least of all a cluster.
        command.env_clear().env("AZURE_CLIENT_SECRET", "s3cr3t-value");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let dir = self.dir.display().to_string();
        self.command(&[&["-f", &dir], arguments].concat()).output().unwrap()
    }

    fn items(&self) -> Vec<Value> {
        let output = self.run(&["-o", "json"]);
        let plan: Value = serde_json::from_str(&stdout(&output)).unwrap_or_else(|_| panic!("{}", stderr(&output)));
        plan["items"].as_array().unwrap().clone()
    }

    fn action(&self) -> Value {
        self.items()[0]["action"].clone()
    }
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_what_would_happen_and_nothing_does() {
    let world = World::new().await;
    let over = world.account(json!({"periodDays": 1, "graceDays": 3000})).await;
    let credit = json!({"amount": "200", "currency": "USD"});
    let waits = world.account(json!({"agreement": "MCA", "periodDays": 3000, "credit": credit})).await;
    let reconcile_request = world.account(json!({"graceDays": 3000})).await;
    let paid = world.account(json!({"offer": "PayAsYouGo", "agreement": "MOSP"})).await;
    let ended = json!({"endTime": "2020-01-01T00:00:00Z"});
    let mut exhausted = subscription("over", &over, automatic("BenefitsExhausted"));
    exhausted["spec"]["trial"] = ended;
    let restricted = async || (world.account_now(&over).await["state"] != "Enabled").then_some(());
    world.eventually(60, restricted).await;
    let manifests = [
        provider("azure", "Broker"),
        exhausted,
        subscription("waits", &waits, automatic("BenefitsExhausted")),
        subscription("asks", &reconcile_request, json!({"when": "Immediately", "approval": "Manual"})),
        subscription("paid", &paid, automatic("Immediately")),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "others"}}),
    ];
    let pipeline = Pipeline::new(&world, &manifests);

    let items = pipeline.items();
    let actions: Vec<_> =
        items.iter().map(|item| (item["name"].as_str().unwrap(), item["action"].as_str().unwrap())).collect();
    let expected =
        [("over", "Upgrade"), ("waits", "UpgradeLater"), ("asks", "UpgradeAfterApproval"), ("paid", "Nothing")];
    assert_eq!(actions, expected, "{items:#?}");
    assert!(items[0]["message"].as_str().unwrap().contains("would be requested now"), "{items:#?}");
    assert_eq!(items[2]["transitionHash"].as_str().unwrap().len(), 32);

    let summary = pipeline.dir.join("summary.md").display().to_string();
    let told = pipeline.run(&["--summary", &summary]);
    assert_eq!(code(&told), 0, "{}", stderr(&told));
    let text = stdout(&told);
    let hash = format!("hash        {}", items[1]["transitionHash"].as_str().unwrap());
    let of = |name: &str| {
        let begins = format!("{name} in namespace team-a\n");
        text.split("Subscription ").find(|about| about.starts_with(&begins)).unwrap_or_else(|| panic!("{text}"))
    };
    for part in [
        "would       upgrade later",
        "offer       FreeTrial",
        "benefit     Credit: Active, 200 USD left, of 200 USD",
        "exhausted   by the forecast: 20",
        "due         by the forecast: 20",
        "costs nothing",
        // Days pass here between the two observations of a plan.
        "about 0.00 USD a day and 0.00 USD in 30 days",
        "IRREVERSIBLE",
        &hash,
    ] {
        assert!(of("waits").contains(part), "{part} is not in {text}");
    }
    let paid = of("paid");
    assert!(paid.contains("offer       PayAsYouGo") && paid.contains("wanted: PayAsYouGo"), "{paid}");
    assert!(!paid.contains("cost "), "it costs nothing that is not paid already: {paid}");
    let sentence = "Plan: 1 upgrade now, 1 upgrade later, 1 upgrade after approval, 1 leave as it is.";
    assert!(text.ends_with(&format!("{sentence}\n")), "{text}");
    let markdown = std::fs::read_to_string(&summary).unwrap();
    assert!(markdown.contains(sentence) && markdown.contains("| team-a/over | azure"), "{markdown}");
    assert!(markdown.contains("**upgrade now** | now |") && markdown.contains("costs nothing"), "{markdown}");
    let yaml: Value = serde_saphyr::from_str(&stdout(&pipeline.run(&["-o", "yaml"]))).unwrap();
    assert_eq!((&yaml["kind"], &yaml["items"][1]["action"]), (&json!("Plan"), &json!("UpgradeLater")));
    assert_eq!(yaml["items"][1]["transitionHash"], items[1]["transitionHash"]);
    for told in [&text, &stderr(&told), &markdown] {
        assert!(!told.contains("s3cr3t-value"), "a secret is told");
    }

    for account in [&over, &waits, &reconcile_request] {
        let requests = world.requests(account).await;
        assert!(requests.iter().all(|request| request["operation"] != "upgrade"), "{requests:#?}");
        assert_eq!(world.ledger(account).await, Vec::<Value>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exit_code_tells_what_is_to_come() {
    let world = World::new().await;
    let account = world.account(json!({"periodDays": 3000})).await;
    let paid = world.account(json!({"offer": "PayAsYouGo", "agreement": "MOSP"})).await;
    let codes = |wish: Value| {
        let pipeline = Pipeline::new(&world, &[provider("azure", "Broker"), wish]);
        [&[][..], &["--exit-code"], &["--detailed-exitcode"]].map(|arguments| code(&pipeline.run(arguments)))
    };
    assert_eq!(codes(subscription("sandbox", &paid, automatic("Immediately"))), [0, 0, 0], "no upgrade to come");
    assert_eq!(codes(subscription("sandbox", &account, automatic("Immediately"))), [0, 1, 2], "one is to come");
    let unknown = subscription("sandbox", "6f1a0000-0000-4a00-9000-00000000ffff", automatic("Immediately"));
    assert_eq!(codes(unknown), [1, 2, 1], "nobody can see the account");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_when_and_by_whom() {
    let world = World::new().await;
    let account = world.account(json!({"periodDays": 3000})).await;
    let limits =
        json!({"when": "BeforeExhaustion", "approval": "Automatic", "beforeExhaustion": {"timeLeftSeconds": 86_400}});
    let before = subscription("before", &account, limits);
    let forecast = Pipeline::new(&world, &[provider("azure", "Broker"), before]).items()[0]["forecast"].clone();
    let time = |name: &str| forecast[name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert_eq!(time("exhaustionTime").duration_since(time("dueTime")).as_secs(), 86_400);

    let reconcile_request = subscription("asks", &account, automatic("Immediately"));
    let portal = Pipeline::new(&world, &[provider("azure", "PortalHandoff"), reconcile_request]);
    let item = portal.items().remove(0);
    assert_eq!((&item["action"], &item["reason"]), (&json!("AskPerson"), &json!("AwaitingPortalUpgrade")));
    assert!(item["message"].as_str().unwrap().contains("https://portal.azure.com/"), "{item:#}");
    assert!(stdout(&portal.run(&[])).contains("would       ask a person to upgrade"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_among_the_manifests_counts() {
    let world = World::new().await;
    let account = world.account(json!({})).await;
    let reconcile_request = subscription("asks", &account, json!({"when": "Immediately", "approval": "Manual"}));
    let pipeline = Pipeline::new(&world, &[provider("azure", "Broker"), reconcile_request.clone()]);
    let hash = pipeline.items()[0]["transitionHash"].clone();
    let said = |decision: &str| {
        json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "UpgradeApproval",
        "metadata": {"name": "word"}, "spec": {"subscriptionName": "asks", "transitionHash": hash, "decision": decision,
            "approver": "jane", "reason": "the project goes on", "expireTime": "2099-01-01T00:00:00Z"}})
    };
    let with = |decision: &str| {
        Pipeline::new(&world, &[provider("azure", "Broker"), reconcile_request.clone(), said(decision)]).action()
    };
    assert_eq!(with("Approve"), "Upgrade");
    let mut deny = said("Deny");
    deny["spec"].as_object_mut().unwrap().remove("expireTime");
    let denied = Pipeline::new(&world, &[provider("azure", "Broker"), reconcile_request.clone(), deny]);
    assert_eq!(denied.action(), "Nothing");
    assert_eq!(code(&denied.run(&["--exit-code"])), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn obstacles_are_errors_in_a_plan() {
    let world = World::new().await;
    let account = world.account(json!({})).await;
    let wish = subscription("asks", &account, automatic("Immediately"));
    let pipeline = Pipeline::new(&world, &[provider("azure", "Broker"), wish.clone()]);
    let mut command = pipeline.command(&["-f", &pipeline.dir.display().to_string(), "--exit-code"]);
    let told = command.env("AZURE_CLIENT_SECRET", "another-value").output().unwrap();
    assert_eq!(code(&told), 2);
    assert!(
        stdout(&told).contains("ProviderNotReady") && stdout(&told).contains("would       blocked"),
        "{}",
        stdout(&told)
    );
    let told = format!("{}{}", stdout(&told), stderr(&told));
    assert!(!told.contains("another-value"), "a secret is told: {told}");

    let told = Pipeline::new(&world, &[wish.clone(), wish.clone()]).run(&[]);
    assert_eq!(code(&told), 1);
    assert!(stderr(&told).contains("is defined twice"), "{}", stderr(&told));
    let absent = pipeline.command(&["-f", "/nonexistent"]).output().unwrap();
    assert_eq!(code(&absent), 1);
    assert!(stderr(&absent).contains("/nonexistent cannot be read"), "{}", stderr(&absent));
}

#[tokio::test(flavor = "multi_thread")]
async fn manifests_are_checked_without_a_look_at_anything() {
    let world = World::new().await;
    let account = world.account(json!({})).await;
    let pipeline = Pipeline::new(&world, &[]);
    let check = |manifest: &Value| {
        let mut command = pipeline.command(&["--offline", "-f", "-"]);
        let mut running = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        running.stdin.take().unwrap().write_all(manifest.to_string().as_bytes()).unwrap();
        running.wait_with_output().unwrap()
    };
    let right = subscription("sandbox", &account, automatic("Immediately"));
    assert_eq!(code(&check(&right)), 0, "{}", stderr(&check(&right)));
    let wrong = |change: &dyn Fn(&mut Value)| {
        let mut manifest = right.clone();
        change(&mut manifest["spec"]);
        let told = check(&manifest);
        assert_eq!(code(&told), 1, "{manifest:#}");
        stderr(&told)
    };
    let told = wrong(&|spec| spec["upgrade"]["when"] = json!("Sometime"));
    assert!(told.contains("Subscription `sandbox`: `spec.upgrade.when`"), "{told}");
    let mut misnamed = right.clone();
    misnamed["metadata"]["name"] = json!("My_Sandbox");
    assert!(stderr(&check(&misnamed)).contains("`metadata.name`: must be"), "{}", stderr(&check(&misnamed)));
    let told = wrong(&|spec| spec["upgrde"] = json!({}));
    assert!(told.contains("upgrde"), "{told}");
    let told = wrong(&|spec| spec["upgrade"]["when"] = json!("BeforeExhaustion"));
    assert!(told.contains("beforeExhaustion"), "a rule of the kind: {told}");
    assert_eq!(world.requests(&account).await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_signs_in_to_aws_with_a_key_and_to_azure_with_its_own_token() {
    let world = World::new().await;
    let id = world.aws_account(json!({})).await;
    let key = format!("AKIA{id}");
    let user = json!({"accountId": id, "accessKeyId": key, "secretAccessKey": "s3cr3t-value", "allow": ["*"]});
    world.stack.simulator.post("clients", &user).await.unwrap();
    let pipeline = Pipeline::new(&world, &free_plan(&id));
    let dir = pipeline.dir.display().to_string();
    let mut command = pipeline.command(&["-f", &dir]);
    let told = command.env("AWS_ACCESS_KEY_ID", &key).env("AWS_SECRET_ACCESS_KEY", "s3cr3t-value").output().unwrap();
    assert!(stdout(&told).contains("would       upgrade after approval"), "{}{}", stdout(&told), stderr(&told));

    let account = world.account(json!({})).await;
    let read = |path: &str| serde_json::from_str::<Value>(&world.kubectl(&["get", "--raw", path]).unwrap()).unwrap();
    let issuer = read("/.well-known/openid-configuration")["issuer"].clone();
    let subject = format!("system:serviceaccount:{}:pipeline", world.namespace);
    let federated = json!({"issuer": issuer, "subject": subject, "audience": "api://AzureADTokenExchange",
        "jwks": read("/openid/v1/jwks")});
    let client = format!("{:08x}-0000-4a00-9000-0000000a9911", world.number);
    let application = json!({"tenantId": TENANT, "clientId": client, "subscriptions": "*", "federated": [federated]});
    world.stack.simulator.post("clients", &application).await.unwrap();
    world.kubectl(&["create", "serviceaccount", "pipeline"]).unwrap();
    let token = world.kubectl(&["create", "token", "pipeline", "--audience", "api://AzureADTokenExchange"]).unwrap();
    let file = pipeline.dir.join("token");
    std::fs::write(&file, token).unwrap();
    let mut azure = provider("azure", "Broker");
    azure["spec"]["azure"]["credentials"] =
        json!({"workloadIdentity": {"clientId": client, "serviceAccountName": "payg-billing"}});
    let wish = subscription("asks", &account, json!({"when": "Immediately", "approval": "Manual"}));
    Pipeline::new(&world, &[azure, wish]);
    let mut command = pipeline.command(&["-f", &dir]);
    let told = command.env("AZURE_FEDERATED_TOKEN_FILE", &file).output().unwrap();
    assert!(stdout(&told).contains("would       upgrade after approval"), "{}{}", stdout(&told), stderr(&told));
}

/// A Subscription that is planned, with `more` in its upgrade, as text: people do not write JSON.
fn planned(world: &World, account: &str, more: &str) -> Vec<Value> {
    let text = format!(
        "[{}, {{apiVersion: payg-operator.io/v1alpha1, kind: Subscription, metadata: {{name: sandbox}}, spec: {{providerName: azure, \
         account: {{azure: {{subscriptionId: {account}}}}}, offer: PayAsYouGo, upgrade: {{approval: Automatic, {more}}}}}}}]",
        provider("azure", "Broker")
    );
    let pipeline = Pipeline::new(world, &[]);
    let file = pipeline.dir.join("accounts/list.yaml");
    std::fs::write(&file, format!("apiVersion: v1\nkind: List\nitems: {text}\n")).unwrap();
    pipeline.items()
}

/// Reports helm#1707, helm#6431 and helm#13254: a template writes whole numbers as floating-point ones.
#[tokio::test(flavor = "multi_thread")]
async fn whole_numbers_are_planned_however_they_are_written() {
    let world = World::new().await;
    let account = world.account(json!({"periodDays": 3000})).await;
    for number in ["8.64e+04", "86400.0", "864e2", "0250600", "086400"] {
        let more = format!("when: BeforeExhaustion, beforeExhaustion: {{timeLeftSeconds: {number}}}");
        let items = planned(&world, &account, &more);
        let time = |name: &str| items[0]["forecast"][name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        assert_eq!(time("exhaustionTime").duration_since(time("dueTime")).as_secs(), 86_400, "{number}");
    }
}

/// Reports postgres-operator#1113 and opf/helm-charts#102: the value of a Secret is a number.
#[tokio::test(flavor = "multi_thread")]
async fn no_value_of_a_secret_is_told() {
    let world = World::new().await;
    let account = world.account(json!({})).await;
    let wish = subscription("asks", &account, automatic("Immediately"));
    let secret = |field: &str, value: Value| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "azure-credentials"}, field: {"clientSecret": value}});
    let number = json!(98_765_432_101_234_u64);
    for (secret, told) in [
        (secret("stringData", number.clone()), "`stringData.clientSecret`: must be a string: put it in quotes"),
        (secret("data", number), "`data.clientSecret`: must be a string"),
        (secret("data", json!("98765432101234!")), "`data.clientSecret`: must be in base64"),
        (secret("stringData", json!(["98765432101234"])), "`stringData.clientSecret`: must be a string"),
        (
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "azure-credentials"}, "stringData": "98765432101234"}),
            "`stringData`: must be a map",
        ),
    ] {
        let pipeline = Pipeline::new(&world, &[provider("azure", "Broker"), wish.clone(), secret]);
        for arguments in [&[][..], &["--offline"], &["-o", "json"], &["-o", "yaml"]] {
            let output = pipeline.run(arguments);
            assert_eq!(code(&output), 1);
            assert!(
                stderr(&output).contains(&format!("accounts/2.yaml (document 1): Secret `azure-credentials`: {told}")),
                "{}",
                stderr(&output)
            );
            let all = stdout(&output) + &stderr(&output);
            assert!(!all.contains("9876") && all.lines().count() == 1, "{all}");
        }
    }
    // In another field of one of our manifests it belongs to no Secret, and is not printed either.
    let mut misplaced = provider("azure", "Broker");
    misplaced["spec"]["azure"]["credentials"]["secret"] = json!("98765432101234");
    let output = Pipeline::new(&world, &[misplaced, wish]).run(&["--offline"]);
    assert!(
        stderr(&output).contains("spec.azure.credentials.secret") && !stderr(&output).contains("9876"),
        "{}",
        stderr(&output)
    );
}

/// Reports kubeconform#98 and flux2-kustomize-helm-example#48: manifests as they lie in a repository, not as they are applied.
#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_secret_counts_as_absent() {
    let world = World::new().await;
    let account = world.account(json!({"periodDays": 3000})).await;
    let wish = subscription("asks", &account, automatic("Immediately"));
    let value = "ENC[AES256_GCM,data:c2VjcmV0,iv:eA==,tag:eA==,type:str]";
    let of = |field: &str, sops: Value| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "azure-credentials"}, field: {"clientSecret": value}, "sops": sops});
    let sops = json!({"version": "3.9.0"});
    let sealed = json!({"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "metadata": {"name": "azure-credentials"},
        "spec": {"encryptedData": {"clientSecret": "AgBy"}}});
    for (secret, how) in [
        (of("stringData", sops.clone()), "by SOPS"),
        (of("data", sops), "by SOPS"),
        (of("data", json!(null)), "by SOPS"),
        (sealed, "as a SealedSecret"),
    ] {
        let output = Pipeline::new(&world, &[provider("azure", "Broker"), wish.clone(), secret]).run(&[]);
        assert!(stdout(&output).contains("would       upgrade now"), "{}{}", stdout(&output), stderr(&output));
        let told = format!("the Secret `azure-credentials` is encrypted {how} and counts as absent");
        assert!(stderr(&output).contains(&told), "{}", stderr(&output));
    }
}

/// Reports kubernetes#39007, flux2#1126, kpt#1392, k0s#1370 and kubectl#1603: a repository has files of all kinds.
#[tokio::test(flavor = "multi_thread")]
async fn foreign_manifests_do_not_stop_a_plan() {
    let world = World::new().await;
    let account = world.account(json!({"periodDays": 3000})).await;
    let pipeline = Pipeline::new(&world, &[]);
    let write = |name: &str, bytes: &[u8]| std::fs::write(pipeline.dir.join("accounts").join(name), bytes).unwrap();
    let objects = [provider("azure", "Broker"), subscription("asks", &account, automatic("Immediately"))];
    // As Windows writes it, one object after the other.
    let ours = objects.map(|object| format!("{object:#}\r\n")).concat();
    let utf16: Vec<u8> = std::iter::once(0xFEFF).chain(ours.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    write("ours.json", &utf16);
    write("latin.yaml", b"# f\xFCr alle\nkind: Note\n");
    write("values.yaml", b"- one\n- two\n");
    write("template.yaml", b"{{- if .Values.enabled }}\nkind: {{ .Values.kind }}\n{{- end }}\n");
    write("binary.yaml", &[0, 159, 146, 150, 255]);
    write("package.json", b"{ // not JSON\n}");
    std::os::unix::fs::symlink(".", pipeline.dir.join("accounts/here")).unwrap();
    let output = pipeline.run(&[]);
    assert!(stdout(&output).contains("would       upgrade now"), "{}{}", stdout(&output), stderr(&output));
    assert!(!stderr(&output).contains("warning"), "{}", stderr(&output));

    write(
        "alike.yaml",
        b"apiVersion: payg-operator.com/v1alpha1\nkind: Subscription\n---\nkind: Subscription\nmetadata: {name: x}\n",
    );
    write("chart.yaml", b"apiVersion: payg-operator.io/v1alpha1\nkind: {{ .Values.kind }}\n");
    let output = pipeline.run(&[]);
    let told = stderr(&output);
    assert!(told.contains("alike.yaml (document 1): a Subscription of `payg-operator.com` is ignored"), "{told}");
    assert!(told.contains("alike.yaml (document 2): a Subscription without a group"), "{told}");
    assert!(told.contains("chart.yaml, line 2, column ") && told.contains("looks like a template"), "{told}");
    assert_eq!(code(&output), 0, "{told}");

    write("broken.yaml", b"apiVersion: payg-operator.io/v1alpha1\nkind: Subscription\nmetadata: {name: \"x\n");
    let told = stderr(&pipeline.run(&["--offline"]));
    assert!(told.contains("accounts/broken.yaml, line ") && told.contains("is not YAML"), "{told}");
}

/// Every value that a field may have is named (kubectl names them all).
#[tokio::test(flavor = "multi_thread")]
async fn all_that_could_be_meant_is_named() {
    let world = World::new().await;
    let wish = subscription("asks", "6f1a0000-0000-4a00-9000-00000000ffff", automatic("Immediatly"));
    let told = stderr(&Pipeline::new(&world, &[wish]).run(&["--offline"]));
    for when in ["BenefitsExhausted", "BeforeExhaustion", "Immediately", "Never"] {
        assert!(told.contains(&format!("`{when}`")), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unread_parts_are_reported_by_plan() {
    let world = World::new().await;
    let text = json!({"content-type": "application/json"});
    let refused = json!({"answer": {"status": 401, "headers": text, "body": "\"User is not authorized.\""}});
    let permission = "Microsoft.Billing/billingAccounts/billingProfiles/read";
    for (kind, says) in [
        (json!({"status": {"code": 403}}), permission),
        (refused, permission),
        (json!("malformedJson"), "The remaining credit could not be read"),
        (json!({"htmlPage": {}}), "The remaining credit could not be read"),
    ] {
        let account = world.account(json!({"periodDays": 3000, "credit": {"amount": "200", "currency": "USD"}})).await;
        for operation in ["balanceSummary", "lots"] {
            world.fault(operation, &account, None, kind.clone()).await;
        }
        let wish = subscription("waits", &account, automatic("BenefitsExhausted"));
        let pipeline = Pipeline::new(&world, &[provider("azure", "Broker"), wish]);
        let item = pipeline.items().remove(0);
        assert_eq!(item["action"], "UpgradeLater", "{kind}: {item:#}");
        assert!(item["remarks"].as_str().is_some_and(|remarks| remarks.contains(says)), "{kind}: {item:#}");
        let summary = pipeline.dir.join("remarks.md").display().to_string();
        let told = stdout(&pipeline.run(&["--summary", &summary]));
        assert!(told.contains("\n  but         ") && told.contains(says), "{kind}: {told}");
        let markdown = std::fs::read_to_string(&summary).unwrap();
        assert!(markdown.contains(says), "{kind}: {markdown}");
        std::fs::remove_file(&summary).unwrap();
    }
    let account = world.account(json!({"periodDays": 3000})).await;
    let wish = subscription("waits", &account, automatic("BenefitsExhausted"));
    let pipeline = Pipeline::new(&world, &[provider("azure", "Broker"), wish]);
    assert!(pipeline.items()[0]["remarks"].is_null() && !stdout(&pipeline.run(&[])).contains("  but "));
}

/// As every OIDC login of a pipeline leaves them (triggermesh#1440, kubernetes-sigs/prow#331, move-sqs#129).
#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_signs_in_to_aws_with_a_temporary_key() {
    let world = World::new().await;
    let (id, [key, secret, token]) = temporary_key(&world).await;
    let pipeline = Pipeline::new(&world, &free_plan(&id));
    let told = |key: &str, token: Option<&str>| {
        let mut command = pipeline.command(&["-f", &pipeline.dir.display().to_string()]);
        command.env("AWS_ACCESS_KEY_ID", key).env("AWS_SECRET_ACCESS_KEY", &secret);
        command.envs(token.map(|token| ("AWS_SESSION_TOKEN", token)));
        let output = command.output().unwrap();
        let told = format!("{}{}", stdout(&output), stderr(&output));
        assert!(
            !told.contains(&secret) && token.is_none_or(|token| token.is_empty() || !told.contains(token)),
            "{told}"
        );
        told
    };
    let right = told(&key, Some(&token));
    assert!(right.contains("would       upgrade after approval"), "{right}");
    for absent in [None, Some("")] {
        let told = told(&key, absent);
        assert!(told.contains("is a temporary one") && told.contains("AWS_SESSION_TOKEN"), "{told}");
    }
    let told = told("AKIALONGLIVED", Some(&token));
    assert!(told.contains("AKIALONGLIVED is a long-lived one"), "{told}");

    // What a plan does not take is said by name, where something is missing.
    let mut command = pipeline.command(&["-f", &pipeline.dir.display().to_string()]);
    let told = stderr(&command.env("AWS_PROFILE", "sandbox").output().unwrap());
    assert!(told.contains("takes no credentials from AWS_PROFILE. It takes AZURE_CLIENT_SECRET, "), "{told}");
}

/// azure-docs#54997, ramosbugs/oauth2-rs#191
#[tokio::test(flavor = "multi_thread")]
async fn a_token_whose_lifetime_is_a_text_is_a_token() {
    // A simulator that answers no other test's requests for tokens so.
    let world = World::on(&crate::hooks::hooked().await.stack).await;
    let account = world.account(json!({})).await;
    let wish = subscription("asks", &account, json!({"when": "Immediately", "approval": "Manual"}));
    let pipeline = Pipeline::new(&world, &[provider("azure", "Broker"), wish]);
    let text = json!({"replaceField": {"path": "expires_in", "value": "3599"}});
    world.stack.simulator.post("faults", &json!({"operation": "token", "kind": text})).await.unwrap();
    assert_eq!(pipeline.action(), "UpgradeAfterApproval", "{:#?}", pipeline.items());
}

/// The manifests of an account of AWS whose key is not among them.
fn free_plan(id: &str) -> [Value; 2] {
    let aws = json!({"apiVersion": "payg-operator.io/v1alpha1", "kind": "BillingProvider", "metadata": {"name": "aws"},
        "spec": {"aws": {"credentials": {"secret": {"name": "aws-credentials"}}}}});
    let mut wish = subscription("free-plan", id, json!({"when": "Immediately", "approval": "Manual"}));
    wish["spec"]["providerName"] = json!("aws");
    wish["spec"]["account"] = json!({"aws": {"accountId": id}});
    [aws, wish]
}
