// Needs the sources, as many scripts after an installation do.
import { writeFileSync } from "node:fs";

import { tides } from "../src/tides.js";

writeFileSync("src/tides.json", JSON.stringify(tides(4)));
