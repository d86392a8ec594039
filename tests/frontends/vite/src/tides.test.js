import assert from "node:assert";
import test from "node:test";

import { tides } from "./tides.js";

test("tides are half a day apart", () => assert.deepEqual(tides(2), [0, 12.4]));
