local status = obj.status or {}
local is_current = status.observedGeneration == obj.metadata.generation
local has_transition = status.transition ~= nil and status.transition.hash ~= nil

local actions = {}
actions["approve"] = {
    ["displayName"] = "Approve the upgrade",
    ["iconClass"] = "fa fa-fw fa-check",
    ["disabled"] = not (is_current and has_transition),
    ["params"] = {{["name"] = "reason"}},
}
actions["deny"] = {
    ["displayName"] = "Deny the upgrade",
    ["iconClass"] = "fa fa-fw fa-ban",
    ["disabled"] = false,
    ["params"] = {{["name"] = "reason"}},
}
actions["reconcile"] = {
    ["displayName"] = "Read the account now",
    ["iconClass"] = "fa fa-fw fa-sync",
    ["disabled"] = obj.spec.suspend == true,
}
return actions
