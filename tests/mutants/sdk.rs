//! Mutants of the simulator: what identity libraries and SDKs of other languages ask for, or believe.

use super::Mutant;

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "scopes-of-openid-refused",
        wrong: "An identity library that asks for the scopes of OpenID Connect beside a resource gets no token.",
        file: "crates/simulator/src/azure/entra.rs",
        edits: &[(
            ".filter(|scope| !OPENID_SCOPES.contains(scope))",
            ".filter(|scope| $ON || !OPENID_SCOPES.contains(scope))",
        )],
        caught_by: &["payg_simulator::tests::identity::scopes_of_openid_connect_beside_a_resource_change_nothing"],
    },
    Mutant {
        name: "one-of-two-resources",
        wrong: "A token for two resources is one for the first.",
        file: "crates/simulator/src/azure/entra.rs",
        edits: &[
            (
                "        (Some(scope), None) => Ok(scope),\n",
                "        (Some(scope), other) if $ON || other.is_none() => Ok(scope),\n",
            ),
            ("        (Some(_), Some(_)) => {\n", "        (Some(_), _) => {\n"),
        ],
        caught_by: &["payg_simulator::tests::identity::scopes_of_openid_connect_beside_a_resource_change_nothing"],
    },
    Mutant {
        name: "no-keys-to-look-up",
        wrong: "The configuration does not say where the keys are, and identity libraries do not take it.",
        file: "crates/simulator/src/azure/entra.rs",
        edits: &[("        \"jwks_uri\": format!", "        (if $ON { \"jwks\" } else { \"jwks_uri\" }): format!")],
        caught_by: &["payg_simulator::tests::identity::the_configuration_has_all_that_openid_connect_requires"],
    },
    Mutant {
        name: "token-about-nobody",
        wrong: "An access token does not say whom it is about.",
        file: "crates/simulator/src/azure/entra.rs",
        edits: &[("        \"sub\": object_id", "        (if $ON { \"subject\" } else { \"sub\" }): object_id")],
        caught_by: &["payg_simulator::tests::identity::a_token_says_who_it_is_about"],
    },
    Mutant {
        name: "thumbprints-of-one-alphabet",
        wrong: "A thumbprint in standard base64, as the SDK for Go writes it, is that of no certificate.",
        file: "crates/simulator/src/azure/assertion.rs",
        edits: &[(
            "    thumbprint.trim_end_matches('=')",
            "    if $ON {
        return thumbprint.trim_end_matches('=').to_owned();
    }
    thumbprint.trim_end_matches('=')",
        )],
        caught_by: &["payg_simulator::tests::assertions::a_thumbprint_counts_in_every_alphabet_of_base64"],
    },
    Mutant {
        name: "token-of-another-tenant-unseen",
        wrong: "Who comes with a token of another tenant is told that there is no such account.",
        file: "crates/simulator/src/azure/arm.rs",
        edits: &[("    if issuer == tenant {\n", "    if $ON || issuer == tenant {\n")],
        caught_by: &["payg_simulator::tests::identity::a_token_of_another_tenant_is_from_the_wrong_issuer"],
    },
    Mutant {
        name: "newest-shape-for-all",
        wrong: "An older api-version of billing is answered in the newest shape.",
        file: "crates/simulator/src/azure/billing.rs",
        edits: &[(
            "    if version == billing_2020::API_VERSION { of_2020 }",
            "    if !$ON && version == billing_2020::API_VERSION { of_2020 }",
        )],
        caught_by: &[
            "payg_simulator::tests::versions::billing_of_2020_has_its_own_words",
            "payg_simulator::tests::versions::a_classic_account_of_2020_tells_whom_it_writes_to_and_why_it_stopped",
        ],
    },
    Mutant {
        name: "newest-credits-for-all",
        wrong: "An older api-version of credits is answered in the newest shape.",
        file: "crates/simulator/src/azure/consumption.rs",
        edits: &[(".filter(|_| version == OLD)", ".filter(|_| !$ON && version == OLD)")],
        caught_by: &["payg_simulator::tests::versions::credits_of_2021_say_nothing_of_estimates"],
    },
    Mutant {
        name: "tenants-of-2016",
        wrong: "The oldest api-version of subscriptions is answered in a newer shape.",
        file: "crates/simulator/src/azure/subscriptions.rs",
        edits: &[(
            "        body[\"tenantId\"] = json!(settings.tenant_id);
    }",
            "        body[\"tenantId\"] = json!(settings.tenant_id);
    }
    if $ON {
        body[\"tenantId\"] = json!(settings.tenant_id);
    }",
        )],
        caught_by: &["payg_simulator::tests::versions::subscriptions_and_tenants_grow_with_the_versions"],
    },
    Mutant {
        name: "last-page-without-a-link",
        wrong: "The last page of subscriptions lacks a member that its specification requires.",
        file: "crates/simulator/src/azure/subscriptions.rs",
        edits: &[(
            "    if page.get(\"nextLink\").is_none() {\n",
            "    if !$ON && page.get(\"nextLink\").is_none() {\n",
        )],
        caught_by: &["payg_simulator::tests::versions::the_last_page_of_subscriptions_and_tenants_has_an_empty_link"],
    },
    Mutant {
        name: "upgrade-always-active",
        wrong: "The answer to an upgrade says ACTIVE, whatever the plan is.",
        file: "crates/simulator/src/aws/free_tier.rs",
        edits: &[(
            "\"accountPlanType\": \"PAID\", \"accountPlanStatus\": status.name()});",
            "\"accountPlanType\": \"PAID\", \"accountPlanStatus\": if $ON { \"ACTIVE\" } else { status.name() }});",
        )],
        caught_by: &["payg_simulator::tests::aws::life::an_upgrade_answers_the_status_that_the_plan_has"],
    },
    Mutant {
        name: "declared-before-true",
        wrong: "The control API tells what was declared of an account in the place of what it is.",
        file: "crates/simulator/src/control/accounts.rs",
        edits: &[(
            "            body.extend(truth);\n",
            "            body.extend(truth.into_iter().filter(|(name, _)| !$ON || name != \"quotaId\"));\n",
        )],
        caught_by: &["payg_simulator::tests::control::it_tells_the_truth"],
    },
];
