import { depth } from "./depth";

test("no snow has no depth", () => {
  expect(depth(0)).toBe("no snow");
  expect(depth(12)).toBe("12 cm of snow");
});
