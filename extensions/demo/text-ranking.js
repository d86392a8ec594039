import { lines, onSubmit, post, showScores } from "./request.js";

onSubmit(async (form) => {
  const texts = lines(form.get("texts"));
  const response = await post("rerank", { query: form.get("query"), texts });
  const ranked = await response.json();
  showScores(ranked.map(({ index, score }) => ({ text: texts[index], score })));
});
