// Open a page in a browser, print what a person sees and what failed, as JSON. visit.mjs URL
import { chromium } from "playwright-core";

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
const page = await browser.newPage({ ignoreHTTPSErrors: true }); // of a local authority
const errors = [];
page.on("pageerror", (error) => errors.push(String(error)));
page.on("response", (response) => response.status() >= 400 && errors.push(`${response.status()} ${response.url()}`));
const loaded = [];
page.on("response", (response) => loaded.push(new URL(response.url()).pathname));

await page.goto(process.argv[2], { waitUntil: "networkidle" });
console.log(JSON.stringify({ title: await page.title(), text: await page.locator("body").innerText(), loaded, errors }));
await browser.close();
