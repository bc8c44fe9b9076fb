-- Creates an UpgradeApproval of the transition in status.
local os = require("os")

-- The user as whom Argo CD creates it. The API server refuses any other name and reports the right one.
local approver = "system:serviceaccount:argocd:argocd-server"
-- How many days it counts for.
local days = 1

local function given(name, otherwise)
    local value = actionParams ~= nil and actionParams[name]
    if value == nil or value == false or value == "" then
        return otherwise
    end
    return value
end

local status = obj.status or {}
if status.observedGeneration ~= obj.metadata.generation then
    error("payg-operator has not yet reconciled the changed Subscription; try again in a minute", 0)
end
if status.transition == nil or status.transition.hash == nil then
    error("there is no transition to approve", 0)
end
local hash = status.transition.hash
if given("transitionHash", hash) ~= hash then
    error("the transition has changed; it is now " .. hash, 0)
end

-- os.date can show UTC only for the current time. So the UTC date is treated as a local one in both directions.
local function expiry()
    local date = os.date("!*t")
    date.day = date.day + days
    return os.date("%Y-%m-%dT%H:%M:%SZ", os.time(date))
end

local approval = {
    apiVersion = "payg-operator.io/v1alpha1",
    kind = "UpgradeApproval",
    metadata = {generateName = obj.metadata.name .. "-", namespace = obj.metadata.namespace},
    spec = {
        subscriptionName = obj.metadata.name,
        transitionHash = hash,
        decision = "Approve",
        approver = given("approver", approver),
        reason = given("reason", "approved in Argo CD, whose log and Events name the user"),
        expireTime = given("expireTime", nil) or expiry(),
    },
}
return {{operation = "create", resource = approval}}
