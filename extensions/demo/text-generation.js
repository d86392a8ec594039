import { onSubmit, post, result } from "./request.js";

const message = document.querySelector("#message");
const chat = document.createElement("ol");
chat.className = "chat";
result.append(chat);

let messages = [];
let abort = new AbortController();

document.querySelector("#stop").addEventListener("click", () => abort.abort());
document.querySelector("#clear").addEventListener("click", () => {
  abort.abort();
  messages = [];
  chat.replaceChildren();
  message.focus();
});

function show(role, text) {
  const item = document.createElement("li");
  item.className = role;
  item.textContent = text;
  chat.append(item);
  return item;
}

/** Yield the JSON values of server-sent events. */
async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const found = (rest + value).split("\n");
    rest = found.pop();
    for (const line of found) {
      if (line.startsWith("data: {")) yield JSON.parse(line.slice("data: ".length));
    }
  }
}

onSubmit(async (form) => {
  abort = new AbortController();
  const asked = [...messages, { role: "user", content: form.get("message") }];
  const response = await post("v1/chat/completions", { messages: asked, stream: true }, abort.signal);
  show("user", form.get("message"));
  const answer = show("assistant", "");
  try {
    for await (const event of events(response)) {
      if (event.error) throw new Error(event.error.message);
      answer.textContent += event.choices[0]?.delta.content ?? "";
    }
  } finally {
    messages = [...asked, { role: "assistant", content: answer.textContent }];
  }
  message.value = "";
  message.focus();
});
