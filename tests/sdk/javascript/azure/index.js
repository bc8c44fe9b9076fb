"use strict";
// All checks of Azure, by one simulator.

require("../simulator").run("2026-06-01T00:00:00Z");

require("./credentials");
require("./assertions");
require("./subscriptions");
require("./actions");
require("./billing");
require("./consumption");
require("./failures");
