export function GET() {
  return Response.json({ levels: [1.5, 2.25] });
}
