-- Creates an UpgradeApproval that denies every upgrade, until it is deleted.

-- The user as whom Argo CD creates it. The API server refuses any other name and reports the right one.
local approver = "system:serviceaccount:argocd:argocd-server"

local function given(name, otherwise)
    local value = actionParams ~= nil and actionParams[name]
    if value == nil or value == false or value == "" then
        return otherwise
    end
    return value
end

-- A Deny counts whatever the transition is, even if there is none yet.
local hash = "0000000000000000"
if obj.status ~= nil and obj.status.transition ~= nil and obj.status.transition.hash ~= nil then
    hash = obj.status.transition.hash
end

local denial = {
    apiVersion = "payg-operator.io/v1alpha1",
    kind = "UpgradeApproval",
    metadata = {generateName = obj.metadata.name .. "-", namespace = obj.metadata.namespace},
    spec = {
        subscriptionName = obj.metadata.name,
        transitionHash = hash,
        decision = "Deny",
        approver = given("approver", approver),
        reason = given("reason", "denied in Argo CD, whose log and Events name the user"),
    },
}
return {{operation = "create", resource = denial}}
