import { cleanup, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test, vi } from "vitest";

import { App } from "./App";

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

async function ask(text: string) {
  await userEvent.type(screen.getByLabelText("Input"), text);
  await userEvent.click(screen.getByRole("button", { name: "Predict" }));
}

test("a prediction is shown, and before it that it is awaited", async () => {
  let respond: (response: Response) => void = () => {};
  vi.stubGlobal("fetch", () => new Promise<Response>((resolve) => (respond = resolve)));
  render(<App />);
  await ask("user-7");
  expect(screen.getByText(/Waiting/)).toBeTruthy();
  respond(new Response(JSON.stringify([{ item: "film-3", score: 4.25 }])));
  expect(await screen.findByRole("row", { name: "film-3 4.250" })).toBeTruthy();
  expect(screen.queryByText(/Waiting/)).toBeNull();
});

test("an error is announced", async () => {
  vi.stubGlobal("fetch", async () => new Response('{"detail": "too long"}', { status: 422 }));
  render(<App />);
  await ask("a text");
  expect((await screen.findByRole("alert")).textContent).toBe("too long");
});

test("an API with keys is asked again with the key", async () => {
  const request = vi.fn(async (_url: string, init: RequestInit) => {
    const known = new Headers(init.headers).get("Authorization") === "Bearer the-key";
    return known ? new Response('"fine"') : new Response("{}", { status: 401 });
  });
  vi.stubGlobal("fetch", request);
  render(<App />);
  await ask("a text");
  await userEvent.type(await screen.findByLabelText("API key"), "the-key");
  await userEvent.click(screen.getByRole("button", { name: "Predict" }));
  expect(await screen.findByText("fine")).toBeTruthy();
});

test("no request is sent without an input", async () => {
  const request = vi.fn();
  vi.stubGlobal("fetch", request);
  render(<App />);
  await userEvent.click(screen.getByRole("button", { name: "Predict" }));
  expect(request).not.toHaveBeenCalled();
});
