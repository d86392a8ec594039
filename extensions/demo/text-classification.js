import { onSubmit, post, showScores } from "./request.js";

onSubmit(async (form) => {
  const response = await post("predict", { inputs: form.get("text") });
  const labels = (await response.json()).flat();
  showScores(labels.map(({ label, score }) => ({ text: label, score })));
});
