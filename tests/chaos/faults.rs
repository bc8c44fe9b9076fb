//! The faults of the simulator that a campaign draws from: of upgrades, and of what is read and asked around them.

use fastrand::Rng;
use serde_json::{Value, json};

/// What happens to the first upgrade request of an account, and what it is called; often nothing.
pub(crate) fn of_an_upgrade(random: &mut Rng) -> Option<(&'static str, Value)> {
    let millis = random.u32(20..1500);
    // A person would wait for each of the last ones for two minutes, and so does the campaign: they are the fewer.
    Some(match random.u32(0..100) {
        0..30 => ("latency", json!({"latency": {"millis": millis}})),
        30..40 => ("appliedAnswerLost", json!("appliedAnswerLost")),
        40..45 => ("appliedLate", json!({"appliedLate": {"millis": millis * 5, "answer": "gatewayTimeout"}})),
        45..50 => ("appliedLate", json!({"appliedLate": {"millis": millis * 5, "answer": "cut"}})),
        50..55 => ("malformedJson", json!("malformedJson")),
        55..58 => ("cut", json!("cut")),
        58..61 => ("status", json!({"status": {"code": server_error(random)}})),
        61..62 => ("throttle", json!({"throttle": {"retryAfterSeconds": 1}})),
        _ => return None,
    })
}

/// A fault of anything that comes next, once.
pub(crate) fn of_anything(random: &mut Rng) -> (&'static str, Value) {
    const OPERATIONS: [&str; 8] = [
        "subscription",
        "billingProperty",
        "lots",
        "token",
        "subscriptionList",
        "operationStatus",
        "getAccountPlanState",
        "*",
    ];
    let operation = OPERATIONS[random.usize(0..OPERATIONS.len())];
    let millis = random.u32(20..1500);
    let (name, kind) = match random.u32(0..6) {
        0 => ("latency", json!({"latency": {"millis": millis}})),
        1 => ("throttle", json!({"throttle": {"retryAfterSeconds": 1}})),
        2 => ("status", json!({"status": {"code": server_error(random)}})),
        3 => ("cut", json!("cut")),
        4 => ("malformedJson", json!("malformedJson")),
        // Up to ten seconds of the wall clock.
        _ => ("stale", json!({"stale": {"seconds": random.u32(60..36_000)}})),
    };
    (name, json!({"operation": operation, "kind": kind, "count": 1}))
}

fn server_error(random: &mut Rng) -> u16 {
    [500, 502, 503, 504][random.usize(0..4)]
}
