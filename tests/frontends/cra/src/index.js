import { createRoot } from "react-dom/client";
import { depth } from "./depth";

const station = window.env?.REACT_APP_STATION ?? process.env.REACT_APP_STATION;

createRoot(document.getElementById("root")).render(
  <h1>
    {station}: {depth(12)}
  </h1>,
);
