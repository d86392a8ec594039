import { onSubmit, post, result, showScores } from "./request.js";

const drop = document.querySelector("#drop");
const image = document.querySelector("#image");
const preview = document.querySelector("#preview");

for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", name === "dragenter" || name === "dragover");
  });
}

drop.addEventListener("drop", (event) => {
  image.files = event.dataTransfer.files;
  image.dispatchEvent(new Event("change"));
});

image.addEventListener("change", () => {
  URL.revokeObjectURL(preview.src);
  const [file] = image.files;
  preview.hidden = !file;
  if (file) preview.src = URL.createObjectURL(file);
  result.replaceChildren();
});

onSubmit(async () => {
  const response = await post("predict", image.files[0]);
  const labels = (await response.json()).flat();
  showScores(labels.map(({ label, score }) => ({ text: label, score })));
});
