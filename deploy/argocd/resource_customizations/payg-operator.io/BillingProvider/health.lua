local health = {status = "Progressing", message = "Waiting for payg-operator to check the credentials"}

local status = obj.status
if status == nil or status.conditions == nil or status.observedGeneration ~= obj.metadata.generation then
    return health
end

local stalled = false
for _, condition in ipairs(status.conditions) do
    if condition.type == "Ready" then
        health.message = condition.message
        if condition.status == "True" then
            health.status = "Healthy"
        end
    elseif condition.type == "Stalled" and condition.status == "True" then
        stalled = true
    end
end
if stalled then
    health.status = "Degraded"
end
return health
