import { lines, onSubmit, post, showScores } from "./request.js";

function cosine(one, other) {
  let product = 0;
  let square = 0;
  let otherSquare = 0;
  one.forEach((value, index) => {
    product += value * other[index];
    square += value * value;
    otherSquare += other[index] * other[index];
  });
  return product / Math.sqrt(square * otherSquare);
}

onSubmit(async (form) => {
  const others = lines(form.get("others"));
  const response = await post("predict", { inputs: [form.get("text"), ...others] });
  const [embedding, ...embeddings] = await response.json();
  const rows = embeddings.map((each, index) => ({ text: others[index], score: cosine(embedding, each) }));
  showScores(rows.sort((one, other) => other.score - one.score));
});
