// Use the demo page as a visitor does, in Chromium: `node demo_page.mjs URL TASK FOLDER [KEY]`. It prints facts as JSON.
import { writeFileSync } from "node:fs";
import chromium from "@sparticuz/chromium";
import { chromium as playwright } from "playwright-core";

const [url, task, folder, key] = process.argv.slice(2);
const options = { executablePath: await chromium.executablePath(), args: ["--no-sandbox", "--single-process", "--no-zygote"] };
const browser = await playwright.launch({ ...options, headless: true });
const facts = { foreign: [], problems: [], texts: [] };

const page = await browser.newPage({ viewport: { width: 800, height: 900 } });
page.on("request", (request) => {
  if (!request.url().startsWith(url) && !/^(data|blob):/.test(request.url())) facts.foreign.push(request.url());
});
page.on("console", (message) => {
  if (message.type() === "error" && !message.text().includes("status of 401")) facts.problems.push(message.text());
});
page.on("pageerror", (error) => facts.problems.push(String(error)));
await page.goto(url);

const send = () => page.getByRole("button", { name: /^(Classify|Fill in|Compare|Rank|Send|Predict)$/ }).click();
const answered = () => page.waitForFunction(
  () => document.querySelector("#result").textContent.trim() && !document.querySelector("button[type=submit]").disabled,
);

if (task === "image-classification") {
  const png = "iVBORw0KGgoAAAANSUhEUgAAAAYAAAAEAgMAAADQaqbQAAAADFBMVEVvxpxpcpvLH3stObDeD+tTAAAAFElEQVR42mP4y8C0RYBZN4xJYwEAFE4DFPqm68kAAAAASUVORK5CYII=";
  const transfer = await page.evaluateHandle((base64) => {
    const data = new DataTransfer();
    data.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], "a.png", { type: "image/png" }));
    return data;
  }, png);
  await page.dispatchEvent("#drop", "drop", { dataTransfer: transfer });
  facts.preview = await page.locator("#preview").evaluate((image) => image.decode().then(() => image.naturalWidth));
}
if (key) {
  await send();
  await page.waitForSelector("#error:not([hidden])");
  facts.refused = await page.locator("#error").textContent();
  facts.focus = await page.evaluate(() => document.activeElement.id);
  await page.getByLabel(/API key/).fill(key);
  facts.stored = await page.evaluate(() => [Object.keys(sessionStorage), Object.keys(localStorage), document.cookie]);
}
// Text that a page must not take for HTML.
const attack = '<img src=x onerror="window.attacked=true">';
if (task === "feature-extraction") await page.getByLabel(/Compare it with/).fill(`${attack}\nA happy dog.\nRain in Paris.`);
await send();
await answered();
facts.texts = await page.locator("#result li, #result pre").allTextContents();
facts.attacked = await page.evaluate(() => Boolean(window.attacked));
for (const scheme of ["light", "dark"]) {
  await page.emulateMedia({ colorScheme: scheme });
  facts[scheme] = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  writeFileSync(`${folder}/${task}-${scheme}.png`, await page.screenshot());
}
facts.unlabelled = await page.evaluate(() =>
  [...document.querySelectorAll("input, textarea")].filter((field) => !field.labels.length).map((field) => field.id));
await page.setViewportSize({ width: 360, height: 740 });
facts.overflow = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
writeFileSync(`${folder}/${task}-narrow.png`, await page.screenshot());
await page.getByRole("link", { name: "API documentation" }).click();
facts.docs = new URL(page.url()).pathname;
await browser.close();
console.log(JSON.stringify(facts));
