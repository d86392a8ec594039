import assert from "node:assert";
import test from "node:test";

import { highest } from "../levels.mjs";

test("the highest level", () => assert.equal(highest([1.5, 2.25]), 2.25));
