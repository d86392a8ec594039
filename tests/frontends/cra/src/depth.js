/** Returns the depth of snow in centimetres, in words. */
export function depth(centimetres) {
  return centimetres > 0 ? `${centimetres} cm of snow` : "no snow";
}
