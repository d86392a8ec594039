import { highest } from "../levels.mjs";

export const dynamic = "force-dynamic";

export default function Page() {
  return (
    <main>
      <h1>River levels</h1>
      <p>Highest: {highest([1.5, 2.25])} m</p>
      <p>Station: {process.env.STATION ?? "none"}</p>
      <p>Map: {process.env.NEXT_PUBLIC_MAP ?? "none"}</p>
    </main>
  );
}
