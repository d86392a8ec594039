const NUMBERS_SHOWN = 8;

/** Show a prediction by its shape: names with scores as bars, a vector by its beginning, and anything else as it is. */
export function Prediction({ value }: { value: unknown }) {
  const scores = scoresOf(value);
  if (scores) return <Scores scores={scores} />;
  if (typeof value === "string") return <p className="text">{value}</p>;
  if (isVector(value)) {
    const shown = value.slice(0, NUMBERS_SHOWN).map((number) => number.toFixed(4));
    const rest = value.length > shown.length ? ", …" : "";
    return (
      <p>
        {value.length} numbers: <code>{`${shown.join(", ")}${rest}`}</code>
      </p>
    );
  }
  return <pre tabIndex={0}>{JSON.stringify(value, null, 2)}</pre>;
}

interface Score {
  name: string;
  score: number;
}

function Scores({ scores }: { scores: Score[] }) {
  const highest = Math.max(1, ...scores.map(({ score }) => score));
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Name</th>
          <th scope="col">Score</th>
        </tr>
      </thead>
      <tbody>
        {scores.map(({ name, score }) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>
              <meter min={0} max={highest} value={Math.max(0, score)} aria-hidden="true" />
              {score.toFixed(3)}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Return names and scores, if the value is a list of objects with a score and one text each. */
function scoresOf(value: unknown): Score[] | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const scores: Score[] = [];
  for (const each of value as unknown[]) {
    if (each === null || typeof each !== "object") return undefined;
    const { score, ...others } = each as Record<string, unknown>;
    const name = Object.values(others).find((other) => typeof other === "string");
    if (typeof score !== "number" || typeof name !== "string") return undefined;
    scores.push({ name, score });
  }
  return scores;
}

function isVector(value: unknown): value is number[] {
  return Array.isArray(value) && value.length > 0 && value.every((each) => typeof each === "number");
}
