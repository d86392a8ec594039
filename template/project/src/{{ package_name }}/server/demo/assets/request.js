// Requests to the API of this server, with the key of this tab, and one form at a time.

const KEY = "api-key";
const key = document.querySelector("#key");
const form = document.querySelector("#form");
const button = form.querySelector("button[type=submit]");
const error = document.querySelector("#error");

export const result = document.querySelector("#result");

key.value = sessionStorage.getItem(KEY) ?? "";
key.addEventListener("input", () => sessionStorage.setItem(KEY, key.value.trim()));

/** Return the response to a posted body: a value to send as JSON, or a file. Throws an Error that says what is wrong. */
export async function post(path, body, signal) {
  const isFile = body instanceof Blob;
  const headers = { "Content-Type": isFile ? body.type || "application/octet-stream" : "application/json" };
  const token = key.value.trim();
  if (token) headers.Authorization = `Bearer ${token}`;
  const response = await fetch(path, { method: "POST", headers, body: isFile ? body : JSON.stringify(body), signal });
  if (response.ok) return response;
  if (response.status === 401) key.focus();
  const answer = await response.json().catch(() => ({}));
  const message = answer.error?.message ?? answer.error ?? response.statusText;
  throw new Error(`${message} (status ${response.status})`);
}

/** Run an action when the form is sent, and show its error. Nothing else can be sent meanwhile. */
export function onSubmit(action) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    error.hidden = true;
    button.disabled = true;
    result.setAttribute("aria-busy", "true");
    try {
      await action(new FormData(form));
    } catch (problem) {
      if (problem.name !== "AbortError") {
        error.textContent = problem instanceof TypeError ? "The server cannot be reached." : problem.message;
        error.hidden = false;
      }
    } finally {
      button.disabled = false;
      result.removeAttribute("aria-busy");
    }
  });
}

/** Return the lines of a text that are not blank. */
export function lines(text) {
  return text.split("\n").map((line) => line.trim()).filter(Boolean);
}

/** Show texts with their scores, as bars where every score is between 0 and 1, give or take a rounding error. */
export function showScores(rows) {
  const list = document.createElement("ol");
  list.className = "scores";
  const isShare = rows.every(({ score }) => score > -1e-6 && score < 1 + 1e-6);
  for (const { text, score } of rows) {
    const row = document.createElement("li");
    const name = document.createElement("span");
    name.textContent = text;
    const value = document.createElement("output");
    value.textContent = score.toFixed(3);
    row.append(name, value);
    if (isShare) {
      const bar = document.createElement("meter");
      bar.value = score;
      bar.setAttribute("aria-hidden", "true");
      row.append(bar);
    }
    list.append(row);
  }
  result.replaceChildren(list);
}
