/** Client of the API. */

declare global {
  interface Window {
    /** Public variables of the container, from /env.js. */
    env?: Record<string, string>;
  }
}

const TIMEOUT_MILLISECONDS = 60_000;

/** A failed request: a sentence for the user, and the HTTP status if there was a response. */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly status?: number,
  ) {
    super(message);
    this.name = "ApiError";
  }

  /** Whether the API wants another key. */
  get needsKey(): boolean {
    return this.status === 401 || this.status === 403;
  }
}

/** Return the address of the API: the variable API_URL, or /api of the server of this page. */
export function apiUrl(): string {
  return (window.env?.API_URL || "/api").replace(/\/+$/, "");
}

/**
 * Return the text as the API takes it: JSON if it is a JSON object or list, otherwise the text itself.
 */
export function parseInput(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return text.trim();
  try {
    return JSON.parse(text);
  } catch {
    return text.trim();
  }
}

/**
 * Return the prediction for one input.
 *
 * @throws ApiError if there is no prediction.
 */
export async function predict(input: unknown, key: string, signal?: AbortSignal): Promise<unknown> {
  const timeout = AbortSignal.timeout(TIMEOUT_MILLISECONDS);
  let response: Response;
  try {
    response = await fetch(`${apiUrl()}/predict`, {
      method: "POST",
      headers: { "Content-Type": "application/json", ...(key && { Authorization: `Bearer ${key}` }) },
      body: JSON.stringify({ inputs: input }),
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(timeout.aborted ? "The API took too long to answer." : "The API cannot be reached.");
  }
  if (!response.ok) throw new ApiError(await explain(response), response.status);
  return response.json();
}

/** Return a sentence about a failed response. */
async function explain(response: Response): Promise<string> {
  if (response.status === 401 || response.status === 403) return "The API needs a valid key.";
  if (response.status === 429) return "Too many requests; wait a moment and try again.";
  if (response.status >= 502) return "The API is not available; try again later.";
  const body: unknown = await response.json().catch(() => undefined);
  return messageOf(body) ?? `The API answered with status ${response.status}.`;
}

/** Return the message in an error of FastAPI or of OpenAI's format. */
function messageOf(body: unknown): string | undefined {
  if (typeof body === "string") return body;
  if (Array.isArray(body)) return messageOf(body[0]);
  if (body === null || typeof body !== "object") return undefined;
  const { detail, error, message, msg } = body as Record<string, unknown>;
  return messageOf(detail ?? error ?? message ?? msg);
}
