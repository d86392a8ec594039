// Drive a browser through the starter, as a person does; print what was seen, as JSON.
// browse.mjs URL INPUT KEY FOLDER: the key is entered if the page asks for one; FOLDER gets screenshots.
import { chromium } from "playwright-core";

const [url, input, key, folder] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
const page = await browser.newPage({ viewport: { width: 900, height: 760 }, colorScheme: "light", ignoreHTTPSErrors: true });
const errors = [];
page.on("pageerror", (error) => errors.push(String(error)));
page.on("console", (message) => message.type() === "error" && errors.push(message.text()));

/** Contrast of the texts that are seen, after WCAG 2: the lowest of all. */
function lowestContrast() {
  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d");
  const channels = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = (color) => {
    const [red, green, blue] = channels(color)
      .map((each) => each / 255)
      .map((each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const behind = (element) => {
    const color = getComputedStyle(element).backgroundColor;
    return channels(color)[3] === 255 || !element.parentElement ? color : behind(element.parentElement);
  };
  const texts = [...document.querySelectorAll("main *")].filter((each) =>
    [...each.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim()),
  );
  const ratios = texts.map((each) => {
    const both = [luminance(getComputedStyle(each).color), luminance(behind(each))];
    return (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
  });
  return Math.min(...ratios);
}

await page.goto(url);
const seen = { title: await page.title(), asked: false, alerts: [] };
await page.getByLabel("Input").fill(input);
await page.getByRole("button", { name: "Predict" }).click();
const result = page.getByRole("region", { name: "Result" });
await result.locator("table, pre, p.text, code, [role=alert]").first().waitFor();
if (key) {
  seen.alerts.push(await page.getByRole("alert").textContent());
  await page.screenshot({ path: `${folder}/key.png` });
  await page.getByLabel("API key").fill(key);
  await page.keyboard.press("Enter");
  await result.locator("table, pre, p.text, code").first().waitFor();
  seen.asked = true;
}
seen.rows = await page.getByRole("row").allTextContents();
seen.light = { background: await page.evaluate(() => getComputedStyle(document.body).backgroundColor), contrast: await page.evaluate(lowestContrast) };
await page.screenshot({ path: `${folder}/light.png` });
await page.emulateMedia({ colorScheme: "dark" });
seen.dark = { background: await page.evaluate(() => getComputedStyle(document.body).backgroundColor), contrast: await page.evaluate(lowestContrast) };
await page.screenshot({ path: `${folder}/dark.png` });
await page.setViewportSize({ width: 320, height: 640 });
seen.overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
await page.screenshot({ path: `${folder}/narrow.png` });
seen.errors = errors;
console.log(JSON.stringify(seen));
await browser.close();
