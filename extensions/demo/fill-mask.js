import { onSubmit, post, showScores } from "./request.js";

onSubmit(async (form) => {
  const response = await post("predict", { inputs: form.get("text") });
  const fills = (await response.json()).flat();
  showScores(fills.map(({ sequence, score }) => ({ text: sequence, score })));
});
