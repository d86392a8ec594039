/** Return the hours of the first high tides of a day. */
export const tides = (count) => Array.from({ length: count }, (_, number) => 12.4 * number);
