import { onSubmit, post, result } from "./request.js";

onSubmit(async (form) => {
  let body;
  try {
    body = JSON.parse(form.get("request"));
  } catch (problem) {
    throw new Error(`not JSON: ${problem.message}`);
  }
  const response = await post("predict", body);
  const text = document.createElement("pre");
  text.textContent = JSON.stringify(await response.json(), null, 2);
  result.replaceChildren(text);
});
