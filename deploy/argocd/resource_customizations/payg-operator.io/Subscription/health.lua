-- A trial that waits for its benefits to be used up is Healthy: that may take weeks. A Subscription that waits for a person, or
-- that a person stopped, is Suspended.
local health = {status = "Progressing", message = "Waiting for payg-operator to reconcile the Subscription"}

local status = obj.status
if status == nil or status.conditions == nil then
    return health
end
if status.observedGeneration ~= obj.metadata.generation then
    health.message = "Waiting for payg-operator to reconcile the changed Subscription"
    return health
end

local conditions = {}
for _, condition in ipairs(status.conditions) do
    conditions[condition.type] = condition
end
local function holds(kind)
    return conditions[kind] ~= nil and conditions[kind].status == "True"
end

local ready = conditions["Ready"]
if ready == nil then
    return health
end

local waits_for_a_person = {
    AwaitingApproval = true,
    AwaitingPortalUpgrade = true,
    Suspended = true,
    UpgradeDenied = true,
    UpgradeHeld = true,
}

health.message = ready.message
if holds("Stalled") then
    health.status = "Degraded"
elseif holds("Reconciling") or ready.status ~= "True" then
    health.status = "Progressing"
elseif waits_for_a_person[ready.reason] then
    health.status = "Suspended"
else
    health.status = "Healthy"
end
return health
