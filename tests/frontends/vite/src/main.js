import hours from "./tides.json";

const api = window.env?.VITE_API_URL ?? import.meta.env.VITE_API_URL;
document.querySelector("main").textContent = `${hours.length} tides from ${api}`;
