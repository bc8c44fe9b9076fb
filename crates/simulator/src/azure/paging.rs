//! Lists that are returned in pages: <https://github.com/Azure/azure-resource-manager-rpc/blob/master/v1.0/common-api-details.md>.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::errors::error;
use super::state::Azure;
use crate::message::{Call, Reply};

const PARAMETER: &str = "$skiptoken";

/// The page of `items` (in order, each with the name to continue after) that the request asks for. Where there are more,
/// `nextLink` is an absolute URL that is opaque to the client.
pub(crate) fn page(azure: &Azure<'_>, call: &Call, items: &[(String, Value)]) -> Result<Value, Reply> {
    let after = call.query(PARAMETER).map(|token| after(&token)).transpose()?;
    let begin = after.map_or(0, |after| items.partition_point(|(name, _)| *name <= after));
    let end = items.len().min(begin.saturating_add(azure.state.settings.page_size.get().into()));
    let shown = &items[begin..end];
    let mut body = json!({"value": shown.iter().map(|(_, item)| item).collect::<Vec<_>>()});
    if let Some((last, _)) = shown.last().filter(|_| end < items.len()) {
        body["nextLink"] = json!(next_link(azure, call, last));
    }
    Ok(body)
}

fn next_link(azure: &Azure<'_>, call: &Call, last: &str) -> String {
    let token = BASE64_URL_SAFE_NO_PAD.encode(format!("after {last}"));
    let others = call.query_pairs().filter(|(name, _)| !name.eq_ignore_ascii_case(PARAMETER));
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(others)
        .append_pair(PARAMETER, &token)
        .finish();
    format!("{}{}?{query}", azure.ground.url, call.path)
}

fn after(token: &str) -> Result<String, Reply> {
    let text = BASE64_URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let name = text.as_deref().and_then(|text| text.strip_prefix("after ")).map(str::to_owned);
    name.ok_or_else(|| error(400, "InvalidSkipToken", &format!("The skip token '{token}' is invalid.")))
}
