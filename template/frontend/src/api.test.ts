import { afterEach, expect, test, vi } from "vitest";

import { ApiError, apiUrl, parseInput, predict } from "./api";

afterEach(() => {
  vi.unstubAllGlobals();
  delete window.env;
});

function answer(status: number, body: unknown) {
  const request = vi.fn(async () => new Response(JSON.stringify(body), { status }));
  vi.stubGlobal("fetch", request);
  return request;
}

test("the API is below /api, or at the address of the variable", () => {
  expect(apiUrl()).toBe("/api");
  window.env = { API_URL: "https://api.example.org/" };
  expect(apiUrl()).toBe("https://api.example.org");
});

test.each([
  [" a text ", "a text"],
  ['{"user": 7}', { user: 7 }],
  ["[1, 2]", [1, 2]],
  ["{not JSON", "{not JSON"],
  ["7", "7"],
])("input %j is sent as %j", (text, input) => {
  expect(parseInput(text)).toEqual(input);
});

test("a request sends the input, and the key as a bearer token", async () => {
  const request = answer(200, [0.5]);
  expect(await predict("a text", "the-key")).toEqual([0.5]);
  expect(request).toHaveBeenCalledWith(
    "/api/predict",
    expect.objectContaining({
      body: '{"inputs":"a text"}',
      headers: expect.objectContaining({ Authorization: "Bearer the-key" }),
    }),
  );
});

test.each([
  [401, { detail: "send an API key" }, "The API needs a valid key."],
  [422, { detail: [{ msg: "the text is too long" }] }, "the text is too long"],
  [400, { error: { message: "no such model" } }, "no such model"],
  [500, "broken", "broken"],
  [502, "", "The API is not available; try again later."],
])("status %i becomes a sentence", async (status, body, message) => {
  answer(status, body);
  const error = await predict("a text", "").catch((error: unknown) => error);
  expect(error).toBeInstanceOf(ApiError);
  expect(error).toMatchObject({ message, status, needsKey: status === 401 });
});

test("an API that cannot be reached becomes a sentence", async () => {
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("fetch failed")));
  await expect(predict("a text", "")).rejects.toThrow("The API cannot be reached.");
});
