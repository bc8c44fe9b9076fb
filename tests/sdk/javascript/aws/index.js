"use strict";
// All checks of AWS, by one simulator. Its billing clock is the wall clock: the SDK corrects its own by what answers are dated.

require("../simulator").run(new Date().toISOString());

require("./plans");
require("./principals");
require("./failures");
